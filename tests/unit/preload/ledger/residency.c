/* Scenes whose resident pages are known beforehand, by each of the three sources. */
#include "preload/ledger/residency.h"

#include "child.h"
#include "smaps_check.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "emulator.h"
#include "sanitizer.h"

enum {
    PAGE = 4096,
    PAGES = 64, /* of a scene */
    SCENE_BYTES = PAGES * PAGE,
    HUGE_BYTES = 2 << 20,
    TIMES = 100,
    GUARD_INSTALL = 102 /* MADV_GUARD_INSTALL, Linux 6.13 */
};

static enum ledger_source best; /* of the run that is under way */
static struct residency residency;
static char *scene; /* PAGES pages of nothing between two that nobody can touch */

static int before_each(void **state)
{
    (void)state;
    char *area = mmap(NULL, SCENE_BYTES + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    scene = area + PAGE;
    if (mprotect(scene, SCENE_BYTES, PROT_READ | PROT_WRITE) != 0)
        return -1;
    madvise(scene, SCENE_BYTES, MADV_NOHUGEPAGE);
    return residency_open_at(&residency, best) ? 0 : -1;
}

static int after_each(void **state)
{
    (void)state;
    residency_close(&residency);
    return munmap(scene - PAGE, SCENE_BYTES + 2 * PAGE);
}

static void write_pages(char *first, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++)
        first[(size_t)i * PAGE] = 1;
}

static unsigned read_pages(const char *first, unsigned pages)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < pages; i++)
        sum += (unsigned char)*(const volatile char *)(first + (size_t)i * PAGE);
    return sum;
}

static void scan(void)
{
    assert_int_equal(smaps_check_scan(&residency), RESIDENCY_DONE);
    assert_true(smaps_check_agrees(&residency));
}

static uint64_t resident_pages(const void *start, unsigned pages)
{
    return smaps_check_bytes(&residency, start, (uint64_t)pages * PAGE, 0, 0) / PAGE;
}

static bool has_places(void)
{
    return residency.source != LEDGER_SMAPS;
}

static void test_source(void **state)
{
    (void)state;
    scan();
    assert_true(residency.source >= best);
    if (best > LEDGER_PAGEMAP_SCAN)
        assert_int_equal(residency.source, best);
    assert_true(residency.figures.summed);
    assert_int_equal(residency.guessed_bytes > 0, best == LEDGER_SMAPS);
}

static void test_no_drift(void **state)
{
    (void)state;
    for (int i = 0; i < TIMES; i++) {
        assert_int_equal(residency_scan(&residency), RESIDENCY_DONE);
        residency_measure(&residency);
        assert_int_equal(residency.resident_bytes, residency.figures.rss_bytes);
    }
}

static void test_nothing_allocated(void **state)
{
    (void)state;
    residency_measure(&residency);
    uint64_t before = residency.figures.rss_bytes;
    for (int i = 0; i < TIMES; i++)
        assert_int_equal(residency_scan(&residency), RESIDENCY_DONE);
    residency_measure(&residency);
    assert_int_equal(residency.figures.rss_bytes, before);
}

static void test_holes(void **state)
{
    (void)state;
    for (int i = 0; i < PAGES; i += 2)
        scene[i * PAGE] = 1;
    scan();
    assert_int_equal(resident_pages(scene, PAGES), PAGES / 2);
    for (unsigned i = 0; has_places() && i < PAGES; i++)
        assert_int_equal(resident_pages(scene + i * PAGE, 1), 1 - i % 2);
    assert_int_equal(
        smaps_check_bytes(&residency, scene, SCENE_BYTES, RESIDENCY_GUESS, RESIDENCY_GUESS),
        has_places() ? 0 : SCENE_BYTES / 2);
}

static void test_zero_pages(void **state)
{
    (void)state;
    assert_int_equal(read_pages(scene, 32), 0);
    scan();
    assert_int_equal(resident_pages(scene, PAGES), 0);
    write_pages(scene + 4 * PAGE, 8);
    scan();
    assert_int_equal(resident_pages(scene, PAGES), 8);
    if (has_places())
        assert_int_equal(resident_pages(scene + 4 * PAGE, 8), 8);
}

static void test_no_access(void **state)
{
    (void)state;
    write_pages(scene, 16);
    assert_int_equal(mprotect(scene, 32 * PAGE, PROT_NONE), 0);
    scan();
    assert_int_equal(resident_pages(scene, PAGES), 16);
}

static void test_lazy_free(void **state)
{
    (void)state;
    write_pages(scene, PAGES);
    scan();
    uint64_t before = residency.figures.lazy_free_bytes;
    assert_int_equal(madvise(scene, SCENE_BYTES, MADV_FREE), 0);
    scan();
    assert_int_equal(resident_pages(scene, PAGES), PAGES);
    /* The kernel counts them by batches of 31 on each processor: what is left of one may follow at any time. */
    uint64_t counted = residency.figures.lazy_free_bytes - before;
    assert_in_range(counted, 31 * PAGE, PAGES * PAGE);
    assert_in_range(smaps_check_field(scene, "LazyFree"), counted, PAGES * PAGE);
}

static void test_guard_pages(void **state)
{
    (void)state;
    write_pages(scene, 16);
    if (madvise(scene + 2 * PAGE, 4 * PAGE, GUARD_INSTALL) != 0)
        skip();
    scan();
    assert_int_equal(resident_pages(scene, PAGES), 12);
    if (has_places())
        assert_int_equal(resident_pages(scene + 2 * PAGE, 4), 0);
}

/* Beside pages that are shared since a fork, which pagemap cannot tell from the zero page. */
static void test_fork_sharers(void **state)
{
    (void)state;
    write_pages(scene, 24);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failure leaves it to itself */
        for (;;)
            pause();
    }
    scan();
    uint64_t shared = resident_pages(scene, PAGES);
    assert_int_equal(smaps_check_bytes(&residency, scene, 24 * PAGE, RESIDENCY_GUESS, 0) / PAGE,
                     has_places() ? 24 : 0);
    assert_int_equal(read_pages(scene + 24 * PAGE, 8), 0); /* zero pages in one mapping with them */
    assert_int_equal(smaps_check_scan(&residency), RESIDENCY_DONE);
    bool agrees = smaps_check_agrees(&residency);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(shared, 24);
    assert_true(agrees);
    assert_int_equal(resident_pages(scene, PAGES), 24);
    if (residency.source == LEDGER_PAGEMAP_SCAN)
        assert_int_equal(residency.guessed_bytes, 0);
}

static bool scan_in_child(void)
{
    smaps_check_scan(&residency); /* a child has no pages of code but those it runs */
    return child_expect(smaps_check_scan(&residency) == RESIDENCY_DONE) &&
           child_expect(smaps_check_agrees(&residency)) &&
           child_expect(resident_pages(scene, PAGES) == 24);
}

static void test_child(void **state)
{
    (void)state;
    write_pages(scene, 24);
    assert_true(child_run(scan_in_child));
}

static void test_memfd_twice(void **state)
{
    (void)state;
    int file = memfd_create("residency", 0);
    assert_int_equal(ftruncate(file, 16 * PAGE), 0);
    char *one = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    char *two = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    write_pages(one, 16);
    scan();
    assert_int_equal(resident_pages(one, 16), 16);
    uint64_t before = resident_pages(two, 16);
    write_pages(two, 16);
    scan();
    assert_int_equal(resident_pages(two, 16), 16);
    assert_true(before < 16);
    assert_int_equal(smaps_check_bytes(&residency, two, 16 * PAGE, RESIDENCY_FILE, RESIDENCY_FILE),
                     16 * PAGE);
    munmap(one, 16 * PAGE);
    munmap(two, 16 * PAGE);
    close(file);
}

static void test_private_file(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    static const char page[PAGE] = {1};
    for (int i = 0; i < 32; i++)
        assert_int_equal(fwrite(page, PAGE, 1, file), 1);
    assert_int_equal(fflush(file), 0);
    char *map = mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fileno(file), 0);
    assert_int_equal(read_pages(map, 32), 32);
    write_pages(map + 8 * PAGE, 4);
    scan();
    assert_int_equal(resident_pages(map, 32), 32);
    assert_int_equal(smaps_check_field(map, "Anonymous"), 4 * PAGE);
    assert_int_equal(smaps_check_bytes(&residency, map, 32 * PAGE, RESIDENCY_FILE, 0), 4 * PAGE);
    if (has_places())
        assert_int_equal(smaps_check_bytes(&residency, map + 8 * PAGE, 4 * PAGE, RESIDENCY_FILE, 0),
                         4 * PAGE);
    munmap(map, 32 * PAGE);
    fclose(file);
}

static void test_huge_page(void **state)
{
    (void)state;
    char *area =
        mmap(NULL, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *huge = (char *)(((uintptr_t)area + HUGE_BYTES - 1) & -(uintptr_t)HUGE_BYTES);
    madvise(huge, HUGE_BYTES, MADV_HUGEPAGE);
    memset(huge + 1000 * PAGE % HUGE_BYTES, 1, 128);
    scan();
    uint64_t bytes = smaps_check_field(huge, "AnonHugePages");
    uint64_t found = smaps_check_bytes(&residency, huge, HUGE_BYTES, 0, 0);
    uint64_t flagged =
        smaps_check_bytes(&residency, huge, HUGE_BYTES, RESIDENCY_HUGE, RESIDENCY_HUGE);
    munmap(area, 2 * HUGE_BYTES);
    if (bytes != HUGE_BYTES) /* none was free */
        skip();
    assert_int_equal(found, HUGE_BYTES);
    assert_int_equal(flagged, residency.source == LEDGER_PAGEMAP_SCAN ? HUGE_BYTES : 0);
    assert_true(residency.figures.huge_bytes >= HUGE_BYTES);
}

/* The zero page of two MiB. */
static void test_huge_zero_page(void **state)
{
    (void)state;
    char *area =
        mmap(NULL, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *huge = (char *)(((uintptr_t)area + HUGE_BYTES - 1) & -(uintptr_t)HUGE_BYTES);
    madvise(huge, HUGE_BYTES, MADV_HUGEPAGE);
    assert_int_equal(read_pages(huge, 1), 0);
    scan();
    uint64_t found = smaps_check_bytes(&residency, huge, HUGE_BYTES, 0, 0);
    munmap(area, 2 * HUGE_BYTES);
    assert_int_equal(found, 0);
}

/* What a file of /sys holds; `value`, when it is not negative, is written to it. -1: cannot be done. */
static long setting(const char *path, long value)
{
    char text[32] = "";
    long was = -1;
    FILE *file = fopen(path, value < 0 ? "r" : "r+");
    if (!file)
        return -1;
    if (fgets(text, sizeof(text), file))
        was = strtol(text, NULL, 10);
    if (value >= 0) {
        rewind(file);
        fprintf(file, "%ld", value);
    }
    return fclose(file) == 0 ? was : -1;
}

static void test_hugetlb(void **state)
{
    (void)state;
    static const char path[] = "/proc/sys/vm/nr_hugepages";
    long was = setting(path, -1);
    if (was < 0 || setting(path, was + 2) < 0)
        skip();
    char *map = mmap(NULL, HUGE_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    if (map == MAP_FAILED) {
        setting(path, was);
        skip();
    }
    map[0] = 1;
    write_pages(scene, 8);
    for (int i = 0; i < 2; i++) { /* the second scan knows of it from the first */
        enum residency_result result = smaps_check_scan(&residency);
        assert_int_equal(result, RESIDENCY_DONE);
        assert_true(smaps_check_agrees(&residency));
        assert_int_equal(smaps_check_bytes(&residency, map, HUGE_BYTES, 0, 0), 0);
        assert_int_equal(resident_pages(scene, PAGES), 8);
        const struct vma *vma = vma_list_find(&residency.vmas, (uint64_t)map);
        assert_true(vma->flags & VMA_HUGETLB);
        assert_int_equal(residency.figures.hugetlb_bytes, HUGE_BYTES);
    }
    munmap(map, HUGE_BYTES);
    setting(path, was);
}

/* Pages with the same content, merged by the kernel into one; zeroes into the zero page. */
static void test_merged_pages(void **state)
{
    (void)state;
    long ran = setting("/sys/kernel/mm/ksm/run", 1);
    if (ran < 0 || madvise(scene, SCENE_BYTES, MADV_MERGEABLE) != 0)
        skip();
    long zeroes = setting("/sys/kernel/mm/ksm/use_zero_pages", 1);
    long before = setting("/sys/kernel/mm/ksm/full_scans", -1);
    memset(scene, 7, 16 * PAGE);
    memset(scene + 16 * PAGE, 0, 16 * PAGE);
    for (int i = 0; i < 60 && setting("/sys/kernel/mm/ksm/full_scans", -1) < before + 3; i++)
        usleep(50000);
    enum residency_result result = smaps_check_scan(&residency);
    bool agrees = smaps_check_agrees(&residency);
    uint64_t rss = smaps_check_field(scene, "Rss"), found = resident_pages(scene, PAGES);
    madvise(scene, SCENE_BYTES, MADV_UNMERGEABLE);
    setting("/sys/kernel/mm/ksm/use_zero_pages", zeroes);
    setting("/sys/kernel/mm/ksm/run", ran);
    assert_int_equal(result, RESIDENCY_DONE);
    assert_true(agrees);
    assert_int_equal(found * PAGE, rss);
    print_message("%lu of 32 pages resident after merging\n", (unsigned long)found);
}

static void test_swapped_out(void **state)
{
    (void)state;
    write_pages(scene, 32);
    madvise(scene, 16 * PAGE, MADV_PAGEOUT);
    scan();
    if (smaps_check_field(scene, "Swap") == 0)
        skip(); /* no swap */
    assert_true(resident_pages(scene, PAGES) < 32);
    assert_true(residency.figures.swap_bytes > 0);
}

/* More regions than there was room for. */
static void test_enlarge(void **state)
{
    (void)state;
    enum { MANY = 80000 }; /* regions of two bytes; room is for as many as were resident */
    char *area = mmap(NULL, (size_t)MANY * PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    madvise(area, (size_t)MANY * PAGE, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < MANY; i += 2)
        area[i * PAGE] = 1;
    enum residency_result result = residency_scan(&residency);
    assert_int_equal(result, best == LEDGER_SMAPS ? RESIDENCY_DONE : RESIDENCY_FULL);
    if (result == RESIDENCY_FULL)
        assert_true(residency_enlarge(&residency));
    scan();
    assert_int_equal(resident_pages(area, MANY), MANY / 2);
    munmap(area, (size_t)MANY * PAGE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, before_each, after_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_source),       TEST(test_no_drift),       TEST(test_nothing_allocated),
        TEST(test_holes),        TEST(test_zero_pages),     TEST(test_no_access),
        TEST(test_lazy_free),    TEST(test_guard_pages),    TEST(test_fork_sharers),
        TEST(test_child),        TEST(test_memfd_twice),    TEST(test_private_file),
        TEST(test_huge_page),    TEST(test_huge_zero_page), TEST(test_hugetlb),
        TEST(test_merged_pages), TEST(test_swapped_out),    TEST(test_enlarge),
    };
    int failed = 0;
    if (emulator_lacks("page tables") || sysconf(_SC_PAGESIZE) != PAGE)
        return 77;
    if (SANITIZER_ADDRESS || SANITIZER_THREAD) /* whose shadow becomes resident as the scan runs */
        return 77;
    smaps_check_prepare();
    for (best = LEDGER_PAGEMAP_SCAN; best < LEDGER_SOURCES; best++)
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    return failed;
}
