#include "preload/views/tracker.h"

#include "preload/ground/arena.h"
#include "preload/tables/delta.h"

#include "child.h"
#include "recorder.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

enum {
    SIZE = 100,
    FIRST = 10,   /* lots before the fork */
    MORE = 200000 /* made after it: they reach into chunks that the child never has */
};

static int to_child[2], to_parent[2];
static struct delta delta;
static uint32_t lots;

static int before_all(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX];
    long error;
    scratch_make();
    if (pipe(to_child) || pipe(to_parent) || !recorder_start() ||
        !arena_open(scratch_path(path, "."), "app", getpid(), &error))
        return 1;
    lots = recorder_lots(FIRST, SIZE);
    delta_init(&delta);
    return 0;
}

static int after_all(void **state)
{
    (void)state;
    scratch_remove();
    return 0;
}

/* The event goes on where the handler has interrupted it: each slot is pushed out by another lot. */
static bool end_event_late(void)
{
    child_say(to_parent);
    child_hear(to_child);
    bool good = child_expect(tracker_detach());
    for (uint32_t i = 0; i < FIRST; i++) {
        delta_alloc(&delta, lots + i);
        delta_turn(&delta, lots + (i + 1) % FIRST);
    }
    delta_fold(&delta);
    return child_expect(delta_live_bytes() == 0) && good;
}

/* A handler has forked in the middle of an event; the parent counts lots that the child does not have. */
static void test_parent_goes_on_in_the_same_slots(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FIRST; i++)
        delta_alloc(&delta, lots + i);
    pid_t child = child_start(end_event_late);
    child_hear(to_parent);
    uint32_t more = recorder_lots(MORE, SIZE);
    for (uint32_t i = 0; i < FIRST; i++) {
        delta_alloc(&delta, more + MORE - 1 - i);
        delta_alloc(&delta, more + MORE - 1 - i);
    }
    int64_t live_bytes = delta_live_bytes();
    child_say(to_child);
    assert_true(child_end(child));
    assert_int_equal(delta_live_bytes(), live_bytes); /* the child has zeroed its own copy */
    assert_true(live_bytes >= 2 * FIRST * SIZE);
    for (uint32_t i = 0; i < FIRST; i++)
        assert_int_equal(delta_slot(&delta, more + MORE - 1 - i)->allocs, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parent_goes_on_in_the_same_slots)};
    return cmocka_run_group_tests(tests, before_all, after_all);
}
