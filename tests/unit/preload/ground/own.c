#include "preload/ground/own.h"

#include "preload/ground/arena.h"
#include "preload/ground/sys.h"

#include "child.h"
#include "sanitizer.h"
#include "scratch.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { AREAS_MAX = 8000, MANY = 3000, THREADS = 4, ROUNDS = SANITIZER_THREAD ? 500 : 20000 };

/* Addresses that are nobody's: only the list knows of them. */
#define NOWHERE 0x500000000000ull

static uint64_t page;
static struct own_area areas[AREAS_MAX];

static void *at(uint64_t pages)
{
    return (void *)(NOWHERE + pages * page);
}

static bool has(uint64_t pages)
{
    return own_has(NOWHERE + pages * page);
}

static void assert_sound(size_t count)
{
    assert_true(count > 0 && count <= AREAS_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_true(areas[i].start < areas[i].end);
        assert_true(i == 0 || areas[i].start > areas[i - 1].end);
        assert_int_equal(areas[i].start % page + areas[i].end % page, 0);
    }
}

static void test_pages(void **state)
{
    (void)state;
    char *pages = sys_pages(3 * page + 1);
    assert_true(own_has((uint64_t)pages));
    assert_true(own_has((uint64_t)pages + 4 * page - 1));
    sys_pages_free(pages, 3 * page + 1);
    assert_false(own_has((uint64_t)pages));
    assert_false(own_has((uint64_t)pages + 3 * page));
}

static void test_library(void **state)
{
    (void)state;
    static int data = 1;
    static int bss;
    int local;
    assert_true(own_has((uint64_t)own_has)); /* the test is linked with it: one object */
    assert_true(own_has((uint64_t)&data));
    assert_true(own_has((uint64_t)&bss));
    assert_false(own_has((uint64_t)&local));
    assert_false(own_has((uint64_t)getpid)); /* no sanitizer has its own */
}

static void test_order(void **state)
{
    (void)state;
    static const uint64_t starts[] = {50, 10, 30, 40, 12};
    for (int i = 0; i < 5; i++)
        own_add(at(starts[i]), 2 * page);
    static const uint64_t expected[][2] = {{10, 12}, {12, 14}, {30, 32}, {40, 42}, {50, 52}};
    struct own_area area = {.end = NOWHERE};
    for (int i = 0; i < 5; i++) {
        assert_true(own_next(area.end, &area));
        assert_int_equal(area.start, NOWHERE + expected[i][0] * page);
        assert_int_equal(area.end, NOWHERE + expected[i][1] * page);
    }
    size_t count = own_copy(areas, AREAS_MAX), joined = 0;
    assert_sound(count);
    for (size_t i = 0; i < count; i++)
        joined += areas[i].start == NOWHERE + 10 * page && areas[i].end == NOWHERE + 14 * page;
    assert_int_equal(joined, 1);
    own_remove(at(0), 100 * page);
    for (uint64_t i = 0; i < 60; i++)
        assert_false(has(i));
}

static void test_parts(void **state)
{
    (void)state;
    own_add(at(10), 10 * page);
    own_remove(at(8), 4 * page); /* its head */
    assert_true(!has(11) && has(12) && has(19));
    own_remove(at(18), 4 * page); /* its tail */
    assert_true(has(12) && has(17) && !has(18));
    own_remove(at(14), 2 * page); /* its middle */
    assert_true(has(12) && has(13) && !has(14) && !has(15) && has(16) && has(17) && !has(18));
    own_remove(at(12), 6 * page);
    assert_true(!has(12) && !has(13) && !has(16) && !has(17));
}

static void test_no_room(void **state)
{
    (void)state;
    size_t count = own_copy(NULL, 0);
    assert_true(count > 0);
    memset(areas, 0, sizeof(areas[0]));
    own_add(at(10), page);
    assert_int_equal(own_copy(areas, count), count + 1);
    assert_true(own_copy(areas, count + 1) <= count + 1);
    own_remove(at(10), page);
}

/* More than one piece of the list; slots are used again. */
static void test_many(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < MANY; i++)
            own_add(at(2 * (MANY - i)), page);
        size_t count = own_copy(areas, AREAS_MAX);
        assert_sound(count);
        assert_true(count >= MANY && count < MANY + 200);
        assert_true(has(2) && has(2 * MANY) && !has(3));
        own_remove(at(0), 2 * MANY * page + page);
        assert_false(has(2) || has(2 * MANY));
    }
}

static void *add_and_remove(void *context)
{
    uint64_t base = (uint64_t)(uintptr_t)context * 1000;
    uint64_t rounds = getenv("HEAPDIFF_EMULATED") ? ROUNDS / 20 : ROUNDS;
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t size = i % 7 + 1;
        own_add(at(base + i % 500), size * page);
        if (!has(base + i % 500) || !has(base + i % 500 + size - 1))
            return context;
        own_remove(at(base + i % 500), size * page);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_and_remove, (void *)(i + 1)), 0);
    for (int i = 0; i < 200; i++)
        assert_sound(own_copy(areas, AREAS_MAX)); /* never a start of one and an end of another */
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    struct own_area area;
    assert_true(!own_next(NOWHERE, &area) || area.start > NOWHERE + (1ull << 40));
}

static bool box_is_own(void)
{
    uint64_t last = (uint64_t)arena_entry(BOX_TEXT, 1);
    return child_expect(own_has((uint64_t)arena.header)) && child_expect(own_has(last)) &&
           child_expect(own_has((uint64_t)arena_entry(BOX_SITES, 1)));
}

static bool box_of_a_child(void)
{
    return child_expect(arena_renew("child", getpid())) && box_is_own();
}

static bool box(void)
{
    long error;
    bool ok = child_expect(arena_open(scratch_make(), "own", getpid(), &error)) && box_is_own() &&
              child_expect(child_run(box_of_a_child));
    strcpy(arena.directory, "/nonexistent"); /* private memory takes the place of the file's */
    ok = ok && child_expect(child_run(box_of_a_child));
    scratch_remove();
    return ok;
}

static void test_box(void **state)
{
    (void)state;
    assert_true(child_run(box));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),   cmocka_unit_test(test_library),
        cmocka_unit_test(test_order),   cmocka_unit_test(test_parts),
        cmocka_unit_test(test_no_room), cmocka_unit_test(test_many),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_box),
    };
    page = (uint64_t)sysconf(_SC_PAGESIZE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
