/* What a page is by where it lies: mappings, areas of ours, stacks and records that are made up. */
#include "preload/ledger/label.h"

#include "preload/ledger/loader_pages.h"
#include "preload/ledger/range_list.h"
#include "preload/tables/claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define MIB        (1ull << 20)
#define BASE       (0x210000000000ull)
#define ARENA      (BASE + 64 * MIB) /* a multiple of 64 MiB */
#define AT(number) (BASE + (number)*MIB)

enum { PAGE = 4096, READ_WRITE = VMA_READ | VMA_WRITE };

static struct vma vmas[] = {
    {.start = AT(0),
     .end = AT(1),
     .inode = 7,
     .flags = VMA_READ | VMA_EXECUTE,
     .name = "/lib/a.so"},
    {.start = AT(1), .end = AT(2), .inode = 7, .flags = VMA_READ, .name = "/lib/a.so"},
    {.start = AT(2), .end = AT(3), .inode = 7, .flags = READ_WRITE, .name = "/lib/a.so"},
    {.start = AT(3), .end = AT(4), .flags = READ_WRITE, .name = ""}, /* its bss */
    {.start = AT(6), .end = AT(8), .flags = READ_WRITE, .name = "[heap]"},
    {.start = AT(10), .end = AT(14), .flags = READ_WRITE, .name = ""},
    {.start = AT(16), .end = AT(16) + PAGE, .name = ""}, /* below a stack */
    {.start = AT(16) + PAGE, .end = AT(18), .flags = READ_WRITE, .name = ""},
    {.start = AT(20),
     .end = AT(21),
     .flags = READ_WRITE | VMA_SHARED,
     .name = "/memfd:x (deleted)"},
    {.start = ARENA, .end = ARENA + MIB, .flags = READ_WRITE, .name = ""},
    {.start = ARENA + MIB, .end = ARENA + 64 * MIB, .name = ""},
    {.start = AT(200), .end = AT(201), .flags = READ_WRITE, .name = "[stack]"},
    {.start = AT(202), .end = AT(203), .flags = VMA_READ | VMA_EXECUTE, .name = "[vdso]"},
};

static struct own_area own[] = {{AT(11), AT(11) + 16 * PAGE}};
static struct thread_stack stacks[] = {
    {.at = AT(17), .start = AT(17), .end = AT(18), .name = "worker"}};
static struct range_piece pieces[] = {{.start = AT(12), .end = AT(13), .site = 9}};

static const struct vma_list vma_list = {.vmas = vmas, .count = sizeof(vmas) / sizeof(vmas[0])};
static const struct thread_stack_list stack_list = {.stacks = stacks, .count = 1};
static const struct range_list ranges = {.pieces = pieces, .count = 1}, no_ranges;
static const struct loader_pages no_pages;
static struct line_table lines;
static struct label_walk walk;

static int before_each(void **state)
{
    (void)state;
    const struct label_sources sources = {.vmas = &vma_list,
                                          .own = own,
                                          .own_count = 1,
                                          .stacks = &stack_list,
                                          .ranges = &ranges,
                                          .earlier = &no_ranges,
                                          .loader = &no_pages,
                                          .lines = &lines,
                                          .glibc = true};
    walk = label_walk(&sources);
    return line_open(&lines) ? 0 : -1;
}

static int after_each(void **state)
{
    (void)state;
    line_close(&lines);
    return 0;
}

/* The label of [start, end) is one, and this. */
static struct label expect_file(uint64_t start, uint64_t end, bool file, enum line_kind kind,
                                const char *subject)
{
    struct label label = {0};
    for (uint64_t next; start < end; start = next) {
        next = label_next(&walk, start, end, file, &label);
        assert_in_range(next, start + 1, end);
        assert_int_equal(lines.lines[label.line].kind, kind);
        assert_string_equal(lines.lines[label.line].subject, subject);
        assert_int_equal(label.site, 0);
    }
    return label;
}

static struct label expect(uint64_t start, uint64_t end, enum line_kind kind, const char *subject)
{
    return expect_file(start, end, false, kind, subject);
}

static void test_files(void **state)
{
    (void)state;
    assert_true(expect_file(AT(0), AT(1), true, LINE_TEXT, "/lib/a.so").claimed);
    expect_file(AT(1), AT(2) - PAGE, true, LINE_RODATA, "/lib/a.so");
    expect(AT(2) - PAGE, AT(2), LINE_PRIVATE, "/lib/a.so");
    expect_file(AT(2), AT(2) + PAGE, true, LINE_DATA, "/lib/a.so");
    expect(AT(2) + PAGE, AT(3), LINE_PRIVATE, "/lib/a.so");
    assert_true(expect(AT(3), AT(4), LINE_BSS, "/lib/a.so").claimed);
    expect_file(AT(20), AT(21), true, LINE_SHARED, "/memfd:x (deleted)");
}

static void test_heaps(void **state)
{
    (void)state;
    struct label label = expect(AT(6), AT(8), LINE_METADATA, "");
    assert_int_equal(label.heap, LABEL_MAIN_HEAP);
    assert_true(label.spare && !label.claimed && !label.own);
    label = expect(ARENA, ARENA + MIB, LINE_METADATA, "");
    assert_int_equal(label.heap, LABEL_ARENA);
    assert_true(label.spare && !label.claimed);
}

static void test_anonymous(void **state)
{
    (void)state;
    claim_add(AT(13), MIB / 2); /* the allocator's */
    struct label label = expect(AT(10), AT(11), LINE_OTHER, "");
    assert_true(label.spare && !label.claimed && label.heap == LABEL_NO_HEAP);
    label = expect(AT(11), AT(11) + 16 * PAGE, LINE_OWN, "");
    assert_true(label.own && label.claimed);
    expect(AT(11) + 16 * PAGE, AT(12), LINE_OTHER, "");
    assert_int_equal(label_next(&walk, AT(12), AT(14), false, &label), AT(13));
    assert_int_equal(label.site, 9);
    assert_true(label.claimed);
    assert_true(expect(AT(13), AT(13) + MIB / 2, LINE_METADATA, "").spare);
    expect(AT(13) + MIB / 2, AT(14), LINE_OTHER, "");
}

/* A thread's stack by its thread; what lies below it in the mapping is one of a thread that has ended. */
static void test_stacks(void **state)
{
    (void)state;
    assert_true(expect(AT(16) + PAGE, AT(17), LINE_STACK, "ended thread").claimed);
    assert_true(expect(AT(17), AT(18), LINE_THREAD, "worker").claimed);
    expect(AT(200), AT(201), LINE_STACK, "main thread");
    expect(AT(202), AT(203), LINE_KERNEL, "[vdso]");
}

/* Where no mapping is known, as it has come since. */
static void test_nowhere(void **state)
{
    (void)state;
    struct label label;
    assert_int_equal(label_next(&walk, AT(4), AT(9), false, &label), AT(6));
    assert_int_equal(label.line | label.site, 0);
    assert_int_equal(label_next(&walk, AT(300), AT(301), false, &label), AT(301));
    assert_int_equal(label.line | label.site, 0);
    assert_int_equal(label_next(&walk, AT(301), UINT64_MAX, false, &label), UINT64_MAX);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, before_each, after_each)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_files), TEST(test_heaps), TEST(test_anonymous),
                                       TEST(test_stacks), TEST(test_nowhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
