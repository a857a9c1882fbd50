#include "preload/ground/spin.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

enum { THREADS = 8, TURNS = 20000 };

static struct {
    struct spin lock;
    uint64_t count; /* kept by `lock` */
} shared;

static void *count(void *unused)
{
    (void)unused;
    for (int i = 0; i < TURNS; i++) {
        spin_lock(&shared.lock);
        shared.count++;
        spin_unlock(&shared.lock);
    }
    return NULL;
}

static void test_excludes(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared.count, THREADS * TURNS);
}

static void test_try(void **state)
{
    (void)state;
    struct spin spin = {0};
    assert_true(spin_try(&spin));
    assert_false(spin_try(&spin));
    spin_unlock(&spin);
    assert_true(spin_try(&spin));
    assert_true(spin_reset(&spin));
    assert_false(spin_reset(&spin));
    assert_true(spin_try(&spin));
}

static void *wait_for_release(void *unused)
{
    (void)unused;
    spin_lock(&shared.lock);
    shared.count = 1;
    spin_unlock(&shared.lock);
    return NULL;
}

/* Long enough for the waiter to come to its sleeps. */
static void test_waits_for_a_slow_holder(void **state)
{
    (void)state;
    pthread_t waiter;
    spin_lock(&shared.lock);
    shared.count = 0;
    assert_int_equal(pthread_create(&waiter, NULL, wait_for_release, NULL), 0);
    nanosleep(&(struct timespec){0, 30000000}, NULL);
    assert_int_equal(__atomic_load_n(&shared.count, __ATOMIC_RELAXED), 0);
    spin_unlock(&shared.lock);
    assert_int_equal(pthread_join(waiter, NULL), 0);
    assert_int_equal(shared.count, 1);
}

static void *take_and_end(void *number)
{
    spin_lock(&shared.lock);
    *(uint32_t *)number = spin_self();
    return NULL;
}

static uint32_t ended; /* what spin_self() was in the thread that has ended */

static bool lives(uint32_t holder)
{
    return holder != ended;
}

static bool all_live(uint32_t holder)
{
    (void)holder;
    return true;
}

static void test_takes_over_from_the_dead(void **state)
{
    (void)state;
    pthread_t holder;
    assert_int_equal(pthread_create(&holder, NULL, take_and_end, &ended), 0);
    pthread_join(holder, NULL);
    spin_holder_lives = lives;
    assert_false(spin_lock(&shared.lock));
    assert_true(spin_is_mine(&shared.lock));
    spin_unlock(&shared.lock);
    assert_true(spin_lock(&shared.lock));
    spin_unlock(&shared.lock);
}

/* As above, but nobody is robbed who lives. */
static void test_asks_before_it_takes_over(void **state)
{
    spin_holder_lives = all_live;
    test_waits_for_a_slow_holder(state);
    spin_holder_lives = NULL;
}

static volatile bool is_stopped;

static bool stopped(uint32_t holder)
{
    (void)holder;
    return is_stopped;
}

static void *lock_or_not(void *outcome)
{
    *(enum spin_outcome *)outcome = spin_lock_or_not(&shared.lock);
    if (*(enum spin_outcome *)outcome != SPIN_NOT)
        spin_unlock(&shared.lock);
    return NULL;
}

static enum spin_outcome outcome_elsewhere(void)
{
    enum spin_outcome outcome;
    pthread_t waiter;
    assert_int_equal(pthread_create(&waiter, NULL, lock_or_not, &outcome), 0);
    pthread_join(waiter, NULL);
    return outcome;
}

/* A holder that is stopped is not waited for, now and the next time, until it has gone on. */
static void test_leaves_the_stopped_alone(void **state)
{
    (void)state;
    spin_holder_lives = all_live;
    spin_holder_is_stopped = stopped;
    spin_lock(&shared.lock);
    is_stopped = true;
    assert_int_equal(outcome_elsewhere(), SPIN_NOT);
    is_stopped = false; /* not asked again */
    assert_int_equal(outcome_elsewhere(), SPIN_NOT);
    spin_unlock(&shared.lock);
    assert_int_equal(outcome_elsewhere(), SPIN_HELD);
    assert_int_equal(shared.lock.stopped, 0);
    spin_holder_lives = NULL;
    spin_holder_is_stopped = NULL;
}

static unsigned looks_left;  /* after so many looks the lock is free */
static uint32_t next_holder; /* whose it is from the first look on; 0: nothing changes */

static bool stopped_for_now(uint32_t holder)
{
    (void)holder;
    if (--looks_left == 0)
        spin_unlock(&shared.lock);
    else if (next_holder)
        shared.lock.holder = next_holder;
    return true;
}

static uint32_t mark_left; /* that of the lock as the waiter has got it */

static void *lock_in_time(void *outcome)
{
    *(enum spin_outcome *)outcome = spin_lock_or_not(&shared.lock);
    mark_left = shared.lock.stopped;
    spin_reset(&shared.lock);
    return NULL;
}

static void assert_held_after_looks(unsigned looks, uint32_t holder)
{
    enum spin_outcome outcome = SPIN_NOT;
    pthread_t waiter;
    looks_left = looks;
    next_holder = holder;
    spin_lock(&shared.lock);
    assert_int_equal(pthread_create(&waiter, NULL, lock_in_time, &outcome), 0);
    pthread_join(waiter, NULL);
    assert_int_equal(outcome, SPIN_HELD);
    assert_int_equal(mark_left, 0);
}

/* Who goes on just as it is found stopped is not marked, nor who was not the one that was looked at before. */
static void test_marks_who_was_looked_at(void **state)
{
    (void)state;
    spin_holder_lives = all_live;
    spin_holder_is_stopped = stopped_for_now;
    assert_held_after_looks(2, 0);
    assert_held_after_looks(3, 77);
    spin_holder_lives = NULL;
    spin_holder_is_stopped = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_excludes),
        cmocka_unit_test(test_try),
        cmocka_unit_test(test_waits_for_a_slow_holder),
        cmocka_unit_test(test_takes_over_from_the_dead),
        cmocka_unit_test(test_asks_before_it_takes_over),
        cmocka_unit_test(test_leaves_the_stopped_alone),
        cmocka_unit_test(test_marks_who_was_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
