#include "preload/ground/vma.h"

#include "emulator.h"
#include "sanitizer.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { MANY = 3000, FILE_PAGES = 4 };

static size_t page;
static struct vma_list list;

static int before_each(void **state)
{
    (void)state;
    return vma_list_make_room(&list) ? 0 : -1;
}

static int after_each(void **state)
{
    (void)state;
    vma_list_free(&list);
    return list.vmas == NULL ? 0 : -1;
}

static const struct vma *at(const void *address)
{
    const struct vma *vma = vma_list_find(&list, (uint64_t)address);
    return vma && vma->start <= (uint64_t)address ? vma : NULL;
}

static void *map(size_t pages, int protection, int flags, int file, off_t offset)
{
    void *at = mmap(NULL, pages * page, protection, flags, file, offset);
    assert_ptr_not_equal(at, MAP_FAILED);
    return at;
}

static void test_kinds(void **state)
{
    (void)state;
    char path[] = "/tmp/vma test-XXXXXX";
    int file = mkstemp(path);
    struct stat about;
    assert_int_equal(ftruncate(file, (off_t)(FILE_PAGES * page)), 0);
    assert_int_equal(fstat(file, &about), 0);
    char *mapped = map(2, PROT_READ, MAP_SHARED, file, (off_t)page);
    char *anonymous = map(3, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(anonymous + page, page, PROT_NONE);
    assert_int_equal(vma_list_read(&list), VMA_DONE);
    const struct vma *vma = at(mapped);
    assert_int_equal(vma->start, (uint64_t)mapped);
    assert_int_equal(vma->end, (uint64_t)mapped + 2 * page);
    assert_int_equal(vma->offset, page);
    assert_int_equal(vma->inode, about.st_ino);
    assert_int_equal(vma->device, vma_device(major(about.st_dev), minor(about.st_dev)));
    assert_int_equal(vma->flags, VMA_READ | VMA_SHARED);
    assert_string_equal(vma->name, path);
    vma = at(anonymous + page);
    assert_int_equal(vma->start, (uint64_t)anonymous + page);
    assert_int_equal(vma->end, (uint64_t)anonymous + 2 * page);
    assert_int_equal(vma->flags | vma->inode | vma->device | vma->offset, 0);
    assert_string_equal(vma->name, "");
    assert_int_equal(at((void *)test_kinds)->flags & (VMA_READ | VMA_WRITE | VMA_EXECUTE),
                     VMA_READ | VMA_EXECUTE);
    assert_string_equal(at(&vma)->name, "[stack]");
    unlink(path);
    assert_int_equal(vma_list_read(&list), VMA_DONE);
    assert_non_null(strstr(at(mapped)->name, "(deleted)"));
    munmap(mapped, 2 * page);
    munmap(anonymous, 3 * page);
    close(file);
}

/* Line by line, what libc reads. */
static void test_all(void **state)
{
    (void)state;
    static char text[1 << 20];
    size_t i = 0;
    int file = open("/proc/self/maps", O_RDONLY);
    ssize_t got, length = 0;
    assert_int_equal(vma_list_read(&list), VMA_DONE);
    while ((got = read(file, text + length, sizeof(text) - 1 - (size_t)length)) > 0)
        length += got;
    close(file);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char expected[256], rights[5];
        unsigned long start, end, offset, inode;
        unsigned high, low;
        if (strstr(line, "[vsyscall]"))
            continue;
        assert_int_equal(sscanf(line, "%lx-%lx %4s %lx %x:%x %lu", &start, &end, rights, &offset,
                                &high, &low, &inode),
                         7);
        const struct vma *vma = &list.vmas[i++];
        snprintf(expected, sizeof(expected), "%lx %lx %lx %lu %x", start, end, offset, inode,
                 vma_device(high, low));
        char found[256];
        snprintf(found, sizeof(found), "%lx %lx %lx %lu %x", (unsigned long)vma->start,
                 (unsigned long)vma->end, (unsigned long)vma->offset, (unsigned long)vma->inode,
                 vma->device);
        assert_string_equal(found, expected);
        assert_true(!*vma->name || strstr(line, vma->name));
    }
    assert_int_equal(i, list.count);
}

static void test_find(void **state)
{
    (void)state;
    assert_int_equal(vma_list_read(&list), VMA_DONE);
    assert_ptr_equal(vma_list_find(&list, 0), &list.vmas[0]);
    assert_null(vma_list_find(&list, UINT64_MAX));
    for (size_t i = 0; i < list.count; i++) {
        assert_ptr_equal(vma_list_find(&list, list.vmas[i].start), &list.vmas[i]);
        assert_ptr_equal(vma_list_find(&list, list.vmas[i].end - 1), &list.vmas[i]);
        assert_true(i == 0 || list.vmas[i - 1].end <= list.vmas[i].start);
    }
}

static void test_more_than_room(void **state)
{
    (void)state;
    char *area = map(2 * MANY, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < MANY; i++)
        mprotect(area + 2 * i * page, page, PROT_NONE);
    assert_int_equal(vma_list_read(&list), VMA_FULL);
    assert_int_equal(list.count, 0);
    assert_true(vma_list_make_room(&list));
    assert_int_equal(vma_list_read(&list), VMA_DONE);
    assert_true(list.count > 2 * MANY - 2);
    for (size_t i = 0; i < 2 * MANY - 1; i++)
        assert_int_equal(at(area + i * page)->start, (uint64_t)area + i * page);
    munmap(area, 2 * MANY * page);
}

/* A list without any room neither reads nor writes past its end. */
static void test_no_room(void **state)
{
    (void)state;
    struct vma_list none = {0};
    assert_int_equal(vma_list_read(&none), VMA_FULL);
    assert_null(vma_list_find(&none, 0));
    vma_list_free(&none);
}

/* Room that nobody has looked into beforehand does for most programs, and becomes more for others. */
static void test_begin(void **state)
{
    (void)state;
    vma_list_free(&list);
    assert_true(vma_list_begin(&list));
    assert_int_equal(vma_list_read(&list), VMA_DONE);
    assert_non_null(at(&page));
    char *area = map(2 * MANY, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 1; i < 2 * MANY; i += 2)
        assert_int_equal(mprotect(area + i * page, page, PROT_NONE), 0);
    assert_int_equal(vma_list_read(&list), VMA_FULL);
    assert_true(vma_list_make_room(&list));
    assert_int_equal(vma_list_read(&list), VMA_DONE);
    assert_true(list.count > 2 * MANY);
    munmap(area, 2 * MANY * page);
}

static void *list_after(void *first)
{
    pthread_join(*(pthread_t *)first, NULL);
    _exit(vma_list_make_room(&list) && vma_list_read(&list) == VMA_DONE && at(&page) ? 0 : 1);
}

/* Of a process whose first thread has ended, /proc/self/maps is empty. */
static void test_first_thread_has_ended(void **state)
{
    (void)state;
    if (SANITIZER_THREAD) /* which has no threads in a child */
        skip();
    pid_t child = fork();
    if (child == 0) {
        static pthread_t first, other;
        first = pthread_self();
        if (pthread_create(&other, NULL, list_after, &first) != 0)
            _exit(2);
        pthread_exit(NULL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, before_each, after_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_kinds),          TEST(test_all),     TEST(test_find),
        TEST(test_more_than_room), TEST(test_no_room), TEST(test_first_thread_has_ended),
        TEST(test_begin),
    };
    page = (size_t)sysconf(_SC_PAGESIZE);
    if (emulator_lacks("maps of its own"))
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
