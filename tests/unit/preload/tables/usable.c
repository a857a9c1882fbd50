/* What an allocator gives beyond the request: by formula, or as it said when it was asked. */
#include "preload/tables/usable.h"

#include "preload/ground/arena.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sanitizer.h"

enum { MAPPED_BYTES = 200000, PAGE = 4096 };

static unsigned asked;
static uint64_t answer;

static size_t ask(void *address)
{
    (void)address;
    asked++;
    return answer;
}

/* Against the C library's own malloc, where that is glibc's. */
static void test_formula(void **state)
{
    (void)state;
#ifdef __GLIBC__
    if (SANITIZER_ADDRESS || SANITIZER_THREAD) /* whose malloc it is then */
        skip();
    usable_init(NULL, true);
    for (size_t bytes = 0; bytes < 5000; bytes++) {
        char *block = malloc(bytes);
        assert_int_equal(usable_slack(1, (uintptr_t)block, bytes, false),
                         malloc_usable_size(block) - bytes);
        free(block);
    }
#else
    skip();
#endif
}

/* A mapping of its own ends with its last page; a block of that size in a heap does not. */
static void test_formula_of_mappings(void **state)
{
    (void)state;
    usable_init(NULL, true);
    uintptr_t mapped = 0x700000000010, inside = 0x700000000020;
    uint64_t rest = PAGE - (MAPPED_BYTES + 16) % PAGE;
    assert_int_equal(usable_slack(1, mapped, MAPPED_BYTES, true), rest);
    assert_int_equal(usable_slack(1, mapped, MAPPED_BYTES, false), 8);
    assert_int_equal(usable_slack(1, inside, MAPPED_BYTES, true), 8);
}

static void test_asked_once(void **state)
{
    (void)state;
    usable_init(ask, false);
    asked = 0;
    answer = 112;
    assert_int_equal(usable_slack(7, 0, 100, false), 0); /* not known yet */
    for (int i = 0; i < 3; i++)
        usable_learn(7, &answer, 100);
    assert_int_equal(asked, 1);
    assert_int_equal(usable_slack(7, 0, 100, false), 12);
    usable_learn(70000, &answer, 112); /* far beyond, and no slack at all */
    usable_learn(70000, &answer, 112);
    assert_int_equal(asked, 2);
    assert_int_equal(usable_slack(70000, 0, 112, false), 0);
    assert_int_equal(usable_slack(8, 0, 100, false), 0);
    assert_true(usable_own_bytes() > 0);
}

static void test_nobody_to_ask(void **state)
{
    (void)state;
    usable_init(NULL, false);
    usable_learn(9, &answer, 100);
    assert_int_equal(usable_slack(9, 0, 100, false), 0);
    usable_init(ask, false);
    asked = 0;
    usable_learn(BOX_NONE, &answer, 100);
    assert_int_equal(asked, 0);
}

/* Four sizes for each power of two: what has no lot is rounded as others were. */
static void test_quarters(void **state)
{
    (void)state;
    usable_init(ask, false);
    assert_int_equal(usable_slack(BOX_NONE, 0, 5000, false), 0); /* nothing has shown it */
    answer = 5120;
    usable_learn(20, &answer, 4097);
    assert_int_equal(usable_slack(BOX_NONE, 0, 5000, false), 120);
    assert_int_equal(usable_slack(BOX_NONE, 0, 5120, false), 0);
    assert_int_equal(usable_slack(BOX_NONE, 0, 5121, false), 6144 - 5121);
    assert_int_equal(usable_slack(BOX_NONE, 0, 100, false), 0); /* too small */
    answer = 5000;
    usable_learn(21, &answer, 4990); /* it is not so */
    assert_int_equal(usable_slack(BOX_NONE, 0, 5000, false), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formula),    cmocka_unit_test(test_formula_of_mappings),
        cmocka_unit_test(test_asked_once), cmocka_unit_test(test_nobody_to_ask),
        cmocka_unit_test(test_quarters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
