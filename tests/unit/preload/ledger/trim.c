/* What malloc_trim() would return, by glibc's rules. */
#include "preload/ledger/trim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { PAGE = 4096 };

static struct trim trim;

static void begin(bool top)
{
    trim = (struct trim){.page_bytes = PAGE};
    trim_enter(&trim, 7, top);
}

static void test_gap(void **state)
{
    (void)state;
    begin(false);
    trim_live(&trim, 10 * PAGE + 16, 10 * PAGE + 100);
    trim_free(&trim, 11 * PAGE, 14 * PAGE);
    assert_int_equal(trim.bytes, 0); /* nobody knows yet that this is no top */
    trim_live(&trim, 14 * PAGE + 16, 14 * PAGE + 100);
    assert_int_equal(trim.bytes, 3 * PAGE);
    trim_free(&trim, 15 * PAGE, 16 * PAGE);
    trim_live(&trim, 16 * PAGE + 8, 17 * PAGE); /* its header begins on the page before */
    assert_int_equal(trim.bytes, 3 * PAGE);
}

static void test_header(void **state)
{
    (void)state;
    begin(false);
    trim_live(&trim, 10 * PAGE + 16, 11 * PAGE - 40); /* the free chunk's header just fits in */
    trim_free(&trim, 11 * PAGE, 13 * PAGE);
    trim_live(&trim, 20 * PAGE + 16, 21 * PAGE - 39); /* and here it does not */
    assert_int_equal(trim.bytes, 2 * PAGE);
    trim_free(&trim, 21 * PAGE, 23 * PAGE);
    trim_live(&trim, 30 * PAGE + 16, 31 * PAGE);
    assert_int_equal(trim.bytes, 3 * PAGE);
}

static void test_top(void **state)
{
    (void)state;
    for (int top = 0; top < 2; top++) {
        begin(top);
        trim_live(&trim, PAGE + 16, PAGE + 64);
        trim_free(&trim, 2 * PAGE, 5 * PAGE);
        trim_enter(&trim, 7, top);
        trim_free(&trim, 6 * PAGE, 7 * PAGE);
        trim_enter(&trim, 0, false);
        assert_int_equal(trim.bytes, top ? 4 * PAGE : 0);
        trim_free(&trim, 8 * PAGE, 9 * PAGE); /* in no heap */
        trim_live(&trim, 9 * PAGE, 10 * PAGE);
        assert_int_equal(trim.bytes, top ? 4 * PAGE : 0);
    }
}

/* A thread keeps three of the blocks that it has freed. */
static void test_cached(void **state)
{
    static const struct tcache_chunk cached[] = {{2 * PAGE + 16, 2 * PAGE + 40},
                                                 {12 * PAGE + 512, 12 * PAGE + 1024},
                                                 {15 * PAGE - 16, 15 * PAGE + 8}};
    (void)state;
    begin(false);
    trim.cached = cached;
    trim.cached_count = 3;
    trim_live(&trim, 10 * PAGE + 16,
              10 * PAGE + 100); /* the first one lies before all that is resident */
    trim_free(&trim, 11 * PAGE, 20 * PAGE);
    assert_int_equal(trim.bytes, 2 * PAGE); /* 11 and 13: the third holds 14, and 15 with its end */
    assert_int_equal(trim.cached_count, 0);
    trim_live(&trim, 20 * PAGE + 16, 21 * PAGE);
    assert_int_equal(trim.bytes, 6 * PAGE); /* and 16 to 19 */
}

/* What is kept on a page with live blocks still decides where the free chunk behind it begins. */
static void test_cached_on_a_live_page(void **state)
{
    static const struct tcache_chunk cached[] = {{11 * PAGE - 64, 11 * PAGE - 16}};
    (void)state;
    begin(false);
    trim.cached = cached;
    trim.cached_count = 1;
    trim_live(&trim, 10 * PAGE + 16, 10 * PAGE + 100);
    trim_free(&trim, 11 * PAGE, 13 * PAGE);
    trim_live(&trim, 20 * PAGE + 16, 20 * PAGE + 100);
    assert_int_equal(trim.bytes, PAGE); /* its header is on 11 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gap), cmocka_unit_test(test_header),
                                       cmocka_unit_test(test_top), cmocka_unit_test(test_cached),
                                       cmocka_unit_test(test_cached_on_a_live_page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
