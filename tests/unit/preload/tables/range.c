#include "preload/tables/range.h"

#include "preload/ground/spin.h"

#include "fake_pages.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { SITES = 8, PAGE = 4096, PAGES = 200, ROUNDS = 100000, MANY = 300000 };

static const uintptr_t base = 0x7f0000000000;

/* What a caller counts from what it is told. */
struct tally {
    int64_t bytes[SITES];
    int64_t objects[SITES];
};

static struct tally tally;

static void on_cut(uint32_t site, uint64_t bytes, bool object, void *context)
{
    assert_ptr_equal(context, &tally);
    assert_in_range(site, 1, SITES - 1);
    assert_true(bytes > 0);
    tally.bytes[site] -= (int64_t)bytes;
    tally.objects[site] -= object;
}

static void on_grow(uint32_t site, uint64_t bytes, void *context)
{
    assert_ptr_equal(context, &tally);
    tally.bytes[site] += (int64_t)bytes;
}

static bool put(uintptr_t start, uint64_t bytes, uint32_t site)
{
    range_lock();
    bool kept = range_put(start, bytes, site, on_cut, &tally);
    range_unlock();
    if (kept && bytes > 0) {
        tally.bytes[site] += (int64_t)bytes;
        tally.objects[site]++;
    }
    return kept;
}

static void cut(uintptr_t start, uint64_t bytes)
{
    range_lock();
    range_cut(start, bytes, on_cut, &tally);
    range_unlock();
}

static uint32_t move(const struct range_remap *remap)
{
    range_lock();
    uint32_t site = range_move(remap, on_cut, on_grow, &tally);
    range_unlock();
    return site;
}

static void assert_tally(uint32_t site, int64_t objects, int64_t bytes)
{
    assert_int_equal(tally.objects[site], objects);
    assert_int_equal(tally.bytes[site], bytes);
}

static void assert_piece(uintptr_t address, uint32_t site, uintptr_t start, uintptr_t end)
{
    uintptr_t found_start, found_end;
    assert_int_equal(range_find(address, &found_start, &found_end), site);
    assert_int_equal(found_start, start);
    assert_int_equal(found_end, end);
    assert_int_equal(range_find(address, NULL, NULL), site);
}

static void assert_nothing(uintptr_t address)
{
    assert_piece(address, 0, 0, 0);
}

static int clear(void **state)
{
    (void)state;
    fake_pages_left = -1;
    cut(0, UINT64_MAX);
    for (uint32_t site = 1; site < SITES; site++)
        assert_tally(site, 0, 0);
    memset(&tally, 0, sizeof(tally));
    return 0;
}

static void test_put_find_cut(void **state)
{
    (void)state;
    assert_true(put(base, 10000, 1));
    assert_piece(base, 1, base, base + 10000);
    assert_piece(base + 9999, 1, base, base + 10000);
    assert_nothing(base + 10000);
    assert_nothing(base - 1);
    cut(base, 10000);
    assert_nothing(base);
    assert_tally(1, 0, 0);
}

static void test_cut_the_middle(void **state)
{
    (void)state;
    put(base, 10 * PAGE, 1);
    cut(base + 3 * PAGE, 2 * PAGE);
    assert_tally(1, 1, 8 * PAGE);
    assert_piece(base, 1, base, base + 3 * PAGE);
    assert_nothing(base + 4 * PAGE);
    assert_piece(base + 5 * PAGE, 1, base + 5 * PAGE, base + 10 * PAGE);
    cut(base, 3 * PAGE);
    assert_tally(1, 1, 5 * PAGE);
    cut(base + 9 * PAGE, 5 * PAGE);
    assert_tally(1, 1, 4 * PAGE);
    cut(base + 5 * PAGE, 4 * PAGE);
    assert_tally(1, 0, 0);
}

static void test_cut_over_several(void **state)
{
    (void)state;
    put(base, 2 * PAGE, 1);
    put(base + 2 * PAGE, 2 * PAGE, 2);
    put(base + 5 * PAGE, 2 * PAGE, 3);
    cut(base + PAGE, 5 * PAGE);
    assert_tally(1, 1, PAGE);
    assert_tally(2, 0, 0);
    assert_tally(3, 1, PAGE);
    assert_piece(base + 6 * PAGE, 3, base + 6 * PAGE, base + 7 * PAGE);
}

/* MAP_FIXED over the middle of another mapping. */
static void test_put_over(void **state)
{
    (void)state;
    put(base, 8 * PAGE, 1);
    put(base + 2 * PAGE, 3 * PAGE, 2);
    assert_tally(1, 1, 5 * PAGE);
    assert_tally(2, 1, 3 * PAGE);
    put(base, 8 * PAGE, 1);
    assert_tally(1, 1, 8 * PAGE);
    assert_tally(2, 0, 0);
}

static void test_no_bytes(void **state)
{
    (void)state;
    put(base, PAGE, 1);
    assert_true(put(base, 0, 2));
    cut(base, 0);
    assert_tally(1, 1, PAGE);
    assert_tally(2, 0, 0);
}

static void test_whole_address_space(void **state)
{
    (void)state;
    assert_true(put(0, UINT64_MAX, 1));
    assert_true(put(UINTPTR_MAX - 10, 10, 2));
    assert_piece(UINTPTR_MAX - 1, 2, UINTPTR_MAX - 10, UINTPTR_MAX);
    assert_piece(0, 1, 0, UINTPTR_MAX - 10);
    cut(1ull << 40, 1ull << 46);
    assert_piece(0, 1, 0, 1ull << 40);
    cut(PAGE, UINT64_MAX);
    assert_piece(0, 1, 0, PAGE);
    assert_nothing(UINTPTR_MAX - 5);
}

static void test_remap_in_place(void **state)
{
    (void)state;
    put(base, 4 * PAGE, 1);
    struct range_remap grow = {base, 4 * PAGE, base, 9 * PAGE, false};
    assert_int_equal(move(&grow), 1);
    assert_tally(1, 1, 9 * PAGE);
    assert_piece(base, 1, base, base + 9 * PAGE);
    struct range_remap shrink = {base, 9 * PAGE, base, PAGE, false};
    assert_int_equal(move(&shrink), 1);
    assert_tally(1, 1, PAGE);
    assert_piece(base, 1, base, base + PAGE);
    assert_nothing(base + PAGE);
}

static void test_remap_moves_pieces(void **state)
{
    (void)state;
    uintptr_t to = base + 100 * PAGE;
    put(base, 6 * PAGE, 1);
    put(base + 2 * PAGE, PAGE, 2);
    cut(base + 4 * PAGE, PAGE);
    put(to, 3 * PAGE, 3);
    put(to + 7 * PAGE, 3 * PAGE, 4);
    struct range_remap remap = {base, 6 * PAGE, to, 8 * PAGE, false};
    assert_int_equal(move(&remap), 1);
    assert_nothing(base);
    assert_piece(to + PAGE, 1, to, to + 2 * PAGE);
    assert_piece(to + 2 * PAGE, 2, to + 2 * PAGE, to + 3 * PAGE);
    assert_piece(to + 3 * PAGE, 1, to + 3 * PAGE, to + 4 * PAGE);
    assert_nothing(to + 4 * PAGE);
    assert_piece(to + 5 * PAGE, 1, to + 5 * PAGE, to + 8 * PAGE);
    assert_tally(1, 1, 6 * PAGE);
    assert_tally(2, 1, PAGE);
    assert_tally(3, 0, 0);
    assert_tally(4, 1, 2 * PAGE);
}

static void test_remap_the_middle_away(void **state)
{
    (void)state;
    uintptr_t to = base - 100 * PAGE;
    put(base, 10 * PAGE, 1);
    struct range_remap remap = {base + 4 * PAGE, 3 * PAGE, to, 2 * PAGE, false};
    assert_int_equal(move(&remap), 1);
    assert_tally(1, 1, 9 * PAGE);
    assert_piece(to, 1, to, to + 2 * PAGE);
    assert_piece(base, 1, base, base + 4 * PAGE);
    assert_nothing(base + 4 * PAGE);
    cut(base, 10 * PAGE);
    assert_tally(1, 1, 2 * PAGE);
    cut(to, 2 * PAGE);
    assert_tally(1, 0, 0);
}

static void test_remap_keeping_the_source(void **state)
{
    (void)state;
    uintptr_t to = base + 50 * PAGE;
    put(base, 4 * PAGE, 1);
    put(to, PAGE, 2);
    struct range_remap remap = {base, 4 * PAGE, to, 4 * PAGE, true};
    assert_int_equal(move(&remap), 1);
    assert_tally(1, 1, 8 * PAGE);
    assert_tally(2, 0, 0);
    cut(base, 4 * PAGE);
    assert_tally(1, 1, 4 * PAGE);
    cut(to, 4 * PAGE);
    assert_tally(1, 0, 0);
}

/* mremap(old_size = 0) of a shared mapping. */
static void test_second_view(void **state)
{
    (void)state;
    uintptr_t to = base + 50 * PAGE;
    put(base, 4 * PAGE, 1);
    put(to - PAGE, PAGE, 2);
    struct range_remap remap = {base + PAGE, 0, to, 3 * PAGE, false};
    assert_int_equal(move(&remap), 1);
    assert_piece(base, 1, base, base + 4 * PAGE);
    assert_piece(to, 1, to, to + 3 * PAGE);
    assert_tally(1, 1, 7 * PAGE);
}

static void test_remap_of_nothing(void **state)
{
    (void)state;
    put(base + 20 * PAGE, 4 * PAGE, 1);
    struct range_remap remap = {base, 4 * PAGE, base + 20 * PAGE, 4 * PAGE, false};
    assert_int_equal(move(&remap), 0);
    assert_tally(1, 0, 0);
    remap.from_bytes = 0;
    assert_int_equal(move(&remap), 0);
    put(base - 4 * PAGE, PAGE, 1);
    remap = (struct range_remap){base, PAGE, base + PAGE, 2 * PAGE, true};
    assert_int_equal(move(&remap), 0);
    assert_tally(1, 1, PAGE);
}

/* Every piece covers what the model says, and each object is first once. */
struct walk {
    uintptr_t end;
    size_t pieces;
    int64_t bytes[SITES];
    int64_t objects[SITES];
};

static void see(const struct range_piece *piece, void *context)
{
    struct walk *walk = context;
    assert_true(piece->start >= walk->end);
    assert_true(piece->end > piece->start);
    walk->end = piece->end;
    walk->pieces++;
    walk->bytes[piece->site] += (int64_t)(piece->end - piece->start);
    walk->objects[piece->site] += piece->first;
}

static void assert_walk(void)
{
    struct walk walk = {0};
    range_each(see, &walk);
    assert_memory_equal(walk.bytes, tally.bytes, sizeof(walk.bytes));
    assert_memory_equal(walk.objects, tally.objects, sizeof(walk.objects));
}

static void test_each_tells_first_pieces(void **state)
{
    (void)state;
    put(base, 9 * PAGE, 1);
    put(base + 2 * PAGE, PAGE, 2);
    put(base + 4 * PAGE, PAGE, 2);
    assert_walk();
    assert_walk();
}

/* The naive model: the object of each page; an object's site. */
static struct {
    uint32_t page[PAGES];
    uint32_t site[ROUNDS + 1];
    uint32_t objects;
} model;

static size_t below(size_t limit)
{
    return (size_t)rand() % limit;
}

static void model_put(size_t page, size_t count)
{
    uint32_t site = 1 + (uint32_t)below(SITES - 1);
    model.site[++model.objects] = site;
    for (size_t i = 0; i < count; i++)
        model.page[page + i] = model.objects;
    assert_true(put(base + page * PAGE, count * PAGE, site));
}

static void model_cut(size_t page, size_t count)
{
    memset(model.page + page, 0, count * sizeof(*model.page));
    cut(base + page * PAGE, count * PAGE);
}

static uint32_t last_object(const uint32_t *pages, size_t count)
{
    while (count > 0 && !pages[count - 1])
        count--;
    return count > 0 ? pages[count - 1] : 0;
}

/* Moves that the kernel would refuse are left out. */
static void model_move(size_t from, size_t count)
{
    size_t to = below(2) ? from : below(PAGES), to_count = 1 + below(PAGES - to);
    bool keep = to != from && below(4) == 0;
    if (keep)
        to_count = count;
    bool apart = to + to_count <= from || from + count <= to;
    if (to + to_count > PAGES || (to != from && !apart))
        return;
    uint32_t source[PAGES] = {0};
    memcpy(source, model.page + from, count * sizeof(*source));
    uint32_t last = last_object(source, count);
    if (!keep)
        memset(model.page + from, 0, count * sizeof(*source));
    for (size_t i = 0; i < to_count; i++)
        model.page[to + i] = i < count ? source[i] : last;
    struct range_remap remap = {base + from * PAGE, count * PAGE, base + to * PAGE, to_count * PAGE,
                                keep};
    assert_int_equal(move(&remap), model.site[model.page[to]]);
}

static void model_check(void)
{
    static uint32_t seen[ROUNDS + 1];
    static uint32_t check;
    struct tally want = {0};
    check++;
    for (size_t i = 0; i < PAGES; i++) {
        uint32_t object = model.page[i], site = model.site[object];
        assert_int_equal(range_find(base + i * PAGE, NULL, NULL), site);
        if (!object)
            continue;
        want.bytes[site] += PAGE;
        want.objects[site] += seen[object] != check;
        seen[object] = check;
    }
    assert_memory_equal(&tally, &want, sizeof(want));
    assert_walk();
}

static void test_random_against_model(void **state)
{
    (void)state;
    srand(2);
    for (int round = 0; round < ROUNDS; round++) {
        size_t page = below(PAGES), count = 1 + below((PAGES - page + 3) / 4);
        size_t choice = below(4);
        if (choice == 0)
            model_cut(page, count);
        else if (choice == 1)
            model_move(page, count);
        else
            model_put(page, count);
        if (round % 50 == 0)
            model_check();
    }
    model_check();
}

/* Freed cells are used again; a large map stays a balanced one. */
static void test_many_pieces(void **state)
{
    (void)state;
    put(base, 2ull * MANY * PAGE, 1);
    for (uintptr_t i = 0; i < MANY; i++)
        cut(base + (2 * i + 1) * PAGE, PAGE);
    struct walk walk = {0};
    range_each(see, &walk);
    assert_int_equal(walk.pieces, MANY);
    assert_tally(1, 1, (int64_t)MANY * PAGE);
    uint64_t own_bytes = range_own_bytes();
    assert_in_range(own_bytes, 40ull * MANY, 41ull * MANY);
    cut(0, UINT64_MAX);
    for (uintptr_t i = 0; i < MANY / 2; i++)
        assert_true(put(base + 2 * i * PAGE, PAGE, 1 + (uint32_t)i % 5));
    assert_int_equal(range_own_bytes(), own_bytes);
}

static void test_fork_copies(void **state)
{
    (void)state;
    put(base, 4 * PAGE, 1);
    range_lock();
    pid_t child = fork();
    range_unlock();
    if (child == 0) {
        cut(base, PAGE);
        _exit(range_recover() && range_find(base + PAGE, NULL, NULL) == 1 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_piece(base, 1, base, base + 4 * PAGE);
}

static void *hold(void *unused)
{
    range_lock();
    return unused;
}

static void hold_elsewhere(void)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hold, NULL), 0);
    pthread_join(thread, NULL);
}

static bool nobody_lives(uint32_t holder)
{
    (void)holder;
    return false;
}

static void test_holder_that_has_ended(void **state)
{
    (void)state;
    put(base, 4 * PAGE, 1);
    hold_elsewhere();
    assert_false(range_is_locked_here());
    spin_holder_lives = nobody_lives;
    assert_true(range_lock()); /* it was not changing anything */
    spin_holder_lives = NULL;
    assert_true(range_is_locked_here());
    range_unlock();
    assert_piece(base, 1, base, base + 4 * PAGE);
}

static void test_recover(void **state)
{
    (void)state;
    put(base, 4 * PAGE, 1);
    assert_true(range_recover());
    assert_piece(base, 1, base, base + 4 * PAGE);
    assert_true(range_lock());
    assert_true(range_recover()); /* this thread's, and nothing half done */
    assert_piece(base, 1, base, base + 4 * PAGE);
    hold_elsewhere();
    assert_false(range_recover());
    memset(&tally, 0, sizeof(tally));
    assert_nothing(base);
    assert_true(put(base, PAGE, 2));
    assert_piece(base, 2, base, base + PAGE);
}

/* Must be the first: there is no chunk yet. */
static void test_no_memory(void **state)
{
    (void)state;
    fake_pages_left = 0;
    assert_false(put(base, PAGE, 1));
    assert_nothing(base);
    fake_pages_left = 1;
    uintptr_t at = base;
    while (put(at, 4 * PAGE, 1))
        at += 8 * PAGE;
    assert_int_equal((at - base) / (8 * PAGE), 511); /* 1024 cells less none, two a mapping */
    cut(base + PAGE, PAGE);
    cut(base + 9 * PAGE, PAGE); /* the odd cell is used up: the rest of the piece is given up */
    assert_tally(1, 511, 4 * PAGE * 511 - PAGE - 3 * PAGE);
    assert_nothing(base + 10 * PAGE);
    assert_walk();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_no_memory, clear),
        cmocka_unit_test_teardown(test_put_find_cut, clear),
        cmocka_unit_test_teardown(test_cut_the_middle, clear),
        cmocka_unit_test_teardown(test_cut_over_several, clear),
        cmocka_unit_test_teardown(test_put_over, clear),
        cmocka_unit_test_teardown(test_no_bytes, clear),
        cmocka_unit_test_teardown(test_whole_address_space, clear),
        cmocka_unit_test_teardown(test_remap_in_place, clear),
        cmocka_unit_test_teardown(test_remap_moves_pieces, clear),
        cmocka_unit_test_teardown(test_remap_the_middle_away, clear),
        cmocka_unit_test_teardown(test_remap_keeping_the_source, clear),
        cmocka_unit_test_teardown(test_second_view, clear),
        cmocka_unit_test_teardown(test_remap_of_nothing, clear),
        cmocka_unit_test_teardown(test_each_tells_first_pieces, clear),
        cmocka_unit_test_teardown(test_random_against_model, clear),
        cmocka_unit_test_teardown(test_many_pieces, clear),
        cmocka_unit_test_teardown(test_fork_copies, clear),
        cmocka_unit_test_teardown(test_recover, clear),
        cmocka_unit_test_teardown(test_holder_that_has_ended, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
