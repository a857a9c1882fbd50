#include "preload/tables/plate.h"

#include "plate_pages.h"
#include "sanitizer.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { SHELVES = 2 * PLATE_MARK_POINTERS, THREADS = 4, PAGES = 3000 };

static struct plate_shelf *shelves[SHELVES];
static uint8_t marks[SHELVES / PLATE_MARK_POINTERS];
static const struct plate plate = {shelves, marks, SHELVES};

static const uint64_t numbers[] = {0,
                                   1,
                                   PLATE_MARK_POINTERS - 1,
                                   PLATE_MARK_POINTERS,
                                   PLATE_SHELF_PAGES - 1,
                                   PLATE_SHELF_PAGES,
                                   (uint64_t)PLATE_SHELF_PAGES *PLATE_MARK_POINTERS,
                                   (uint64_t)PLATE_SHELF_PAGES *SHELVES - 1};
enum { NUMBERS = sizeof(numbers) / sizeof(*numbers) };

/* Must be the first: nothing is there yet. */
static void test_no_memory(void **state)
{
    (void)state;
    plate_pages_left = 0;
    assert_null(plate_page(&plate, 5));
    plate_pages_left = 1;
    assert_null(plate_page(&plate, 5)); /* a shelf, no chunk for the pool */
    plate_pages_left = 0;
    assert_null(plate_page(&plate, 5));
    plate_pages_left = -1;
    assert_non_null(plate_page(&plate, 5));
    assert_null(plate_page(&plate, (uint64_t)PLATE_SHELF_PAGES * SHELVES));
    assert_null(plate_page(&plate, UINT64_MAX));
}

static void test_pages_are_zeroed_and_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < NUMBERS; i++) {
        static const unsigned char zeros[PLATE_PAGE_BYTES];
        assert_null(plate_find(shelves, numbers[i]));
        unsigned char *page = plate_page(&plate, numbers[i]);
        assert_non_null(page);
        assert_int_equal((uintptr_t)page % PLATE_PAGE_BYTES, 0);
        assert_memory_equal(page, zeros, PLATE_PAGE_BYTES);
        memset(page, (int)i + 1, PLATE_PAGE_BYTES);
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        unsigned char *page = plate_find(shelves, numbers[i]);
        assert_ptr_equal(page, plate_page(&plate, numbers[i]));
        assert_int_equal(page[0], i + 1);
        assert_int_equal(page[PLATE_PAGE_BYTES - 1], i + 1);
    }
}

struct seen {
    size_t count;
    uint64_t last;
    bool ordered;
};

static void see(uint64_t number, void *page, void *context)
{
    struct seen *seen = context;
    seen->ordered = seen->ordered && page && (seen->count == 0 || number > seen->last);
    seen->last = number;
    seen->count++;
}

static void test_each_in_order(void **state)
{
    (void)state;
    struct seen seen = {.ordered = true};
    plate_each(&plate, see, &seen);
    assert_int_equal(seen.count, NUMBERS + 1); /* and page 5 */
    assert_true(seen.ordered);
    assert_int_equal(seen.last, numbers[NUMBERS - 1]);
}

static uint64_t resident_bytes(void)
{
    char line[256] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long size, resident;
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    fclose(file);
    assert_int_equal(sscanf(line, "%lu %lu", &size, &resident), 2);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* What it says is what the kernel says, within the page tables' own size. */
static void test_own_bytes(void **state)
{
    (void)state;
    uint64_t own = plate_own_bytes(), resident = resident_bytes();
    for (uint64_t i = 0; i < 16384; i++)
        *(char *)plate_page(&plate, 7000000 + i) = 1;
    own = plate_own_bytes() - own;
    resident = resident_bytes() - resident;
    assert_in_range(own, 64 << 20, 67 << 20);             /* the last chunk is 2 MiB */
    uint64_t more = SANITIZER_THREAD ? 4 * own : 1 << 20; /* whose shadow comes on top */
    assert_in_range(resident, own - (2 << 20), own + more);
    struct seen seen = {.ordered = true};
    plate_each(&plate, see, &seen);
    assert_int_equal(seen.count, NUMBERS + 1 + 16384);
}

static void test_halves(void **state)
{
    (void)state;
    char *halves[4];
    for (int i = 0; i < 4; i++)
        assert_non_null(halves[i] = plate_half());
    for (int i = 0; i < 4; i++) {
        assert_int_equal((uintptr_t)halves[i] % PLATE_HALF_BYTES, 0);
        for (int k = 0; k < i; k++)
            assert_ptr_not_equal(halves[i], halves[k]);
    }
    assert_ptr_equal(halves[1], halves[0] + PLATE_HALF_BYTES);
    void **slot = plate_slot(&plate, 40000000);
    assert_ptr_equal(slot, plate_place(shelves, 40000000));
    *slot = halves[2];
    assert_ptr_equal(plate_find(shelves, 40000000), halves[2]);
    uint64_t number = 39999999;
    assert_ptr_equal(plate_next(&plate, &number), halves[2]);
    assert_int_equal(number, 40000000);
    assert_null(plate_slot(&plate, UINT64_MAX));
}

static void make_the_same(void)
{
    memset(plate_page(&plate, 9000000), 0x77, PLATE_PAGE_BYTES);
}

static void test_another_thread_is_first(void **state)
{
    (void)state;
    plate_pages_meanwhile = make_the_same;
    unsigned char *page = plate_page(&plate, 9000000);
    assert_null(plate_pages_meanwhile);
    assert_int_equal(page[100], 0x77);
    assert_ptr_equal(page, plate_page(&plate, 9000000));
}

/* All threads make the same pages; each adds its own mark. */
static void *worker(void *argument)
{
    for (uint64_t i = 0; i < PAGES; i++) {
        uint8_t *page = plate_page(&plate, 20000000 + i * 100);
        if (!page)
            return (void *)1;
        __atomic_store_n(&page[(uintptr_t)argument], 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void test_threads_make_the_same_pages(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, worker, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    for (uint64_t i = 0; i < PAGES; i++)
        for (int j = 0; j < THREADS; j++)
            assert_int_equal(((uint8_t *)plate_find(shelves, 20000000 + i * 100))[j], 1);
}

/* 40 MiB of address space is room for 32 MiB of pages. */
static int limited_child(void)
{
    char line[256];
    unsigned long size;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || !fgets(line, sizeof(line), file) || sscanf(line, "%lu", &size) != 1)
        return 1;
    rlim_t bytes = size * (rlim_t)sysconf(_SC_PAGESIZE) + (40 << 20);
    struct rlimit limit = {bytes, bytes};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return 2;
    for (uint64_t i = 0; i < (32 << 20) / PLATE_PAGE_BYTES; i++)
        if (!plate_page(&plate, 30000000 + i))
            return 3;
    return 0;
}

static void test_limited_address_space(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0)
        _exit(limited_child());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_pages_are_zeroed_and_apart),
        cmocka_unit_test(test_each_in_order),
        cmocka_unit_test(test_own_bytes),
        cmocka_unit_test(test_halves),
        cmocka_unit_test(test_another_thread_is_first),
        cmocka_unit_test(test_threads_make_the_same_pages),
        cmocka_unit_test(test_limited_address_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
