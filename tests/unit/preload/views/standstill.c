/* A standstill asked for: the answers of one who stands by, and of one who is mad, dead or slow. */
#include "preload/views/standstill.h"

#include "preload/ground/arena.h"
#include "preload/views/gate.h"
#include "preload/ground/sys.h"

#include "recorder.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define MS 1000000ull

enum { END = BOX_STANDSTILL_STATES, MAD }; /* of a script; MAD: any other word */

/* What the one who stands by answers, in turn: each to the state that is there. */
static struct {
    const int *answers;
    pthread_t thread;
    bool quit;
} other;

static struct box_standstill *box(void)
{
    return &arena.header->standstill;
}

static uint32_t now(void)
{
    return __atomic_load_n(&box()->word, __ATOMIC_ACQUIRE);
}

static void answer(uint32_t word, int state)
{
    uint32_t round = word - word % BOX_STANDSTILL_STATES;
    uint32_t next = state == MAD ? word ^ 0x5a5a5a58u : round + (uint32_t)state;
    __atomic_compare_exchange_n(&box()->word, &word, next, false, __ATOMIC_ACQ_REL,
                                __ATOMIC_RELAXED);
}

static bool process_waits(uint32_t word)
{
    uint32_t state = word % BOX_STANDSTILL_STATES;
    return state == BOX_STANDSTILL_ASKED || state == BOX_STANDSTILL_STOPPING ||
           state == BOX_STANDSTILL_SCANNED;
}

static void *stand_by(void *unused)
{
    for (const int *at = other.answers;
         *at != END && !__atomic_load_n(&other.quit, __ATOMIC_ACQUIRE);) {
        uint32_t word = now();
        if (process_waits(word))
            answer(word, *at++);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    return unused;
}

/* One round as a snapshot has it: true when it was confirmed. */
static bool ask(const int *answers, bool *began)
{
    other.answers = answers;
    other.quit = false;
    if (pthread_create(&other.thread, NULL, stand_by, NULL) != 0)
        abort();
    assert_true(gate_close());
    box()->until_ns = sys_time_ns() + BOX_STANDSTILL_LEASE_MS * MS;
    bool confirmed = false;
    *began = standstill_begin();
    if (*began) {
        bool scanned = standstill_scanned();
        gate_open();
        confirmed = standstill_end() && scanned;
    } else {
        gate_open();
    }
    __atomic_store_n(&other.quit, true, __ATOMIC_RELEASE);
    pthread_join(other.thread, NULL);
    assert_int_equal(now() % BOX_STANDSTILL_STATES, BOX_STANDSTILL_OPEN);
    return confirmed;
}

static void test_confirmed(void **state)
{
    static const int answers[] = {BOX_STANDSTILL_STOPPING, BOX_STANDSTILL_STOPPED,
                                  BOX_STANDSTILL_CONFIRMED, END};
    bool began;
    (void)state;
    for (int i = 0; i < 3; i++) {
        uint32_t before = now();
        assert_true(ask(answers, &began));
        assert_int_equal(now(), before + BOX_STANDSTILL_STATES);
        assert_int_equal(box()->thread, sys_tid());
    }
}

static void test_stopped_is_not_confirmed(void **state)
{
    static const int answers[] = {BOX_STANDSTILL_STOPPING, BOX_STANDSTILL_STOPPED, END};
    bool began;
    (void)state;
    uint64_t begin_ns = sys_uptime_ns();
    assert_false(ask(answers, &began));
    assert_true(began);
    assert_true(sys_uptime_ns() - begin_ns < 4000 * MS);
}

static void test_refused(void **state)
{
    static const int answers[] = {BOX_STANDSTILL_STOPPING, BOX_STANDSTILL_REFUSED, END};
    bool began;
    (void)state;
    assert_false(ask(answers, &began));
    assert_false(began);
}

static void test_who_does_not_answer(void **state)
{
    static const int nothing[] = {END}, half[] = {BOX_STANDSTILL_STOPPING, END};
    bool began;
    (void)state;
    uint64_t begin_ns = sys_uptime_ns();
    assert_false(ask(nothing, &began));
    assert_false(began);
    assert_true(sys_uptime_ns() - begin_ns < 1500 * MS);
    begin_ns = sys_uptime_ns();
    assert_false(ask(half, &began));
    assert_false(began);
    assert_in_range(sys_uptime_ns() - begin_ns, 1900 * MS, 4500 * MS);
}

static void test_a_mad_word(void **state)
{
    static const int answers[] = {MAD, END}, later[] = {BOX_STANDSTILL_STOPPING, MAD, END},
                     last[] = {BOX_STANDSTILL_STOPPING, BOX_STANDSTILL_STOPPED, MAD, END};
    bool began;
    (void)state;
    assert_false(ask(answers, &began));
    assert_false(began);
    assert_false(ask(later, &began));
    assert_false(began);
    assert_false(ask(last, &began));
    assert_true(began);
}

/* Who withdraws while pages are listed has let the threads go. */
static void test_withdrawn(void **state)
{
    static const int answers[] = {BOX_STANDSTILL_STOPPING, BOX_STANDSTILL_STOPPED, END};
    (void)state;
    other.answers = answers;
    other.quit = false;
    assert_int_equal(pthread_create(&other.thread, NULL, stand_by, NULL), 0);
    assert_true(gate_close());
    box()->until_ns = sys_time_ns() + BOX_STANDSTILL_LEASE_MS * MS;
    assert_true(standstill_begin());
    pthread_join(other.thread, NULL);
    answer(now(), BOX_STANDSTILL_REFUSED);
    assert_false(standstill_scanned());
    gate_open();
    assert_false(standstill_end());
}

static void assert_not_asked(uint64_t until_ns)
{
    box()->until_ns = until_ns;
    uint32_t before = now();
    assert_false(standstill_begin());
    assert_int_equal(now(), before);
}

static void test_nobody_stands_by(void **state)
{
    (void)state;
    assert_true(gate_close());
    assert_not_asked(0);
    assert_not_asked(sys_time_ns() - 1);
    assert_not_asked(sys_time_ns() + (BOX_STANDSTILL_LEASE_MS + 100) * MS);
    assert_not_asked(UINT64_MAX);
    gate_open();
}

static void test_a_child_has_no_one(void **state)
{
    (void)state;
    box()->until_ns = sys_time_ns() + BOX_STANDSTILL_LEASE_MS * MS;
    standstill_fork();
    assert_int_equal(box()->until_ns, 0);
    assert_int_equal(now(), 0);
}

#define TEST(name) cmocka_unit_test(test_##name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(confirmed),        TEST(stopped_is_not_confirmed),
        TEST(refused),          TEST(who_does_not_answer),
        TEST(a_mad_word),       TEST(withdrawn),
        TEST(nobody_stands_by), TEST(a_child_has_no_one),
    };
    if (!recorder_start())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
