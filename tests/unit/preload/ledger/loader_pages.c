/* Which pages are the loader's, by what is on them. */
#include "preload/ledger/loader_pages.h"

#include "preload/ground/module_list.h"
#include "preload/ground/peek.h"

#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

enum { PAGE = 4096, WORDS = PAGE / sizeof(uint64_t) };

static struct loader_pages list;
static uint64_t *page;

static int before_all(void **state)
{
    (void)state;
    module_list_take();
    loader_pages_gather(&list);
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : 0;
}

static int after_all(void **state)
{
    (void)state;
    loader_pages_free(&list);
    return 0;
}

static bool is_table(uint64_t first, uint64_t second)
{
    memset(page, 0x55, PAGE);
    page[3] = first;
    page[WORDS - 1] = second;
    return loader_pages_is_table(&list, (uint64_t)page);
}

/* Entries have the address of an object's description: of the same, or of different ones. */
static void test_tables(void **state)
{
    (void)state;
    uint64_t word;
    if (!peek((uint64_t)&list, &word, sizeof(word)))
        skip(); /* an emulator that has no such system call */
    uint64_t first = (uint64_t)module_list_first();
    uint64_t next = (uint64_t)module_list_next(module_list_first());
    assert_true(first != 0 && next != 0);
    assert_true(is_table(first, next));
    assert_true(is_table(first, first));
    assert_false(is_table(first, first + 8));
    assert_false(is_table(0, next));
    assert_false(is_table(UINT64_MAX, 0));
}

static bool is_listed(uint64_t word)
{
    for (size_t i = 0; i < list.map_count; i++)
        if (list.maps[i] == word)
            return true;
    return false;
}

/* Words between the first and the last description, most of which are none, and each that is one. */
static void test_words(void **state)
{
    (void)state;
    uint64_t word, low = list.maps[0], high = list.maps[list.map_count - 1];
    if (!peek((uint64_t)&list, &word, sizeof(word)))
        skip();
    assert_true(low < high);
    for (size_t i = 0; i < list.map_count; i++)
        assert_true(is_table(list.maps[i], list.maps[i]));
    for (word = low; word < high; word += (high - low) / WORDS / 8 + 1)
        assert_int_equal(is_table(low, word), is_listed(word));
    for (word = low - 64; word < low + 64; word++)
        assert_int_equal(is_table(high, word), is_listed(word));
    for (word = high - 64; word < high + 64; word++)
        assert_int_equal(is_table(low, word), is_listed(word));
}

static void test_gone(void **state)
{
    (void)state;
    assert_false(loader_pages_is_table(&list, 0));
    uint64_t was = (uint64_t)page;
    assert_int_equal(munmap(page, PAGE), 0);
    assert_false(loader_pages_is_table(&list, was));
}

static void test_none(void **state)
{
    (void)state;
    const struct loader_pages none = {0};
    assert_false(loader_pages_is_table(&none, (uint64_t)&none & -(uint64_t)PAGE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables), cmocka_unit_test(test_words),
                                       cmocka_unit_test(test_none), cmocka_unit_test(test_gone)};
    return cmocka_run_group_tests(tests, before_all, after_all);
}
