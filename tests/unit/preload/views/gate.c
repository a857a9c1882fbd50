#include "preload/views/gate.h"

#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/ground/sys.h"
#include "preload/tables/thread.h"

#include "child.h"
#include "recorder.h"
#include "sanitizer.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { THREADS = 4, ROUNDS = 300, MS = 1000000 };

static uint32_t lot;

static struct {
    bool began, go, done;
    enum guard_state stay; /* what hold_state() is in */
    bool forking;
    uint64_t first, second; /* kept by the gate */
} shared;

static bool is_set(const bool *flag)
{
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set(bool *flag)
{
    __atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

static void pause_ms(long ms)
{
    struct timespec span = {ms / 1000, ms % 1000 * MS};
    nanosleep(&span, NULL);
}

static void wait_for(const bool *flag)
{
    while (!is_set(flag))
        pause_ms(1);
}

static uint64_t cuts(void)
{
    return __atomic_load_n(&arena.header->lost.cuts, __ATOMIC_RELAXED);
}

static pthread_t start(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, argument) != 0)
        abort();
    return thread;
}

static int before_each(void **state)
{
    (void)state;
    shared.began = shared.go = shared.done = shared.forking = false;
    return recorder_alloc(lot) && recorder_free(lot) ? 0 : 1;
}

static void test_closed_until_opened(void **state)
{
    (void)state;
    assert_false(gate_is_closed());
    assert_true(gate_close());
    assert_true(gate_is_closed());
    gate_wait(); /* the closer's own events do not */
    gate_open();
    assert_false(gate_is_closed());
}

static void *record_once(void *unused)
{
    set(&shared.began);
    recorder_alloc(lot);
    set(&shared.done);
    return unused;
}

static void test_who_wants_to_record_waits(void **state)
{
    (void)state;
    assert_true(gate_close());
    pthread_t thread = start(record_once, NULL);
    wait_for(&shared.began);
    pause_ms(100);
    assert_false(is_set(&shared.done));
    gate_open();
    pthread_join(thread, NULL);
    assert_true(is_set(&shared.done));
}

/* In a hook, in the state asked for, until told to go on. */
static void *hold_state(void *unused)
{
    struct guard_thread *own = guard_enter_recording();
    __atomic_store_n(&own->forking, shared.forking, __ATOMIC_RELAXED);
    guard_set(shared.stay);
    set(&shared.began);
    wait_for(&shared.go);
    __atomic_store_n(&own->forking, false, __ATOMIC_RELAXED);
    guard_leave(own);
    return unused;
}

static bool close_beside(enum guard_state stay, bool forking)
{
    shared.stay = stay;
    shared.forking = forking;
    pthread_t thread = start(hold_state, NULL);
    wait_for(&shared.began);
    uint64_t begin_ns = sys_uptime_ns();
    bool whole = gate_close();
    assert_true(sys_uptime_ns() - begin_ns < 900ull * MS);
    gate_open();
    set(&shared.go);
    pthread_join(thread, NULL);
    return whole;
}

static void test_who_calls_is_not_waited_for(void **state)
{
    (void)state;
    uint64_t before = cuts();
    assert_true(close_beside(GUARD_CALLING, false));
    assert_int_equal(cuts(), before);
}

static void test_who_forks_is_not_waited_for(void **state)
{
    (void)state;
    assert_true(close_beside(GUARD_RECORDING, true));
}

static void test_who_never_comes_out_is_counted(void **state)
{
    (void)state;
    uint64_t before = cuts();
    assert_false(close_beside(GUARD_RECORDING, false));
    assert_int_equal(cuts(), before + 1);
}

static void *end_while_recording(void *unused)
{
    shared.done = guard_enter_recording() != NULL;
    set(&shared.began);
    syscall(SYS_exit, 0);
    return unused;
}

/* Its struct is still there; it is waited for once. */
static void test_who_ends_is_waited_for_once(void **state)
{
    (void)state;
    pthread_t thread;
    if (SANITIZER_THREAD) /* which has to see threads end */
        return;
    assert_int_equal(pthread_create(&thread, NULL, end_while_recording, NULL), 0);
    wait_for(&shared.began);
    pause_ms(5);
    uint64_t before = cuts(), lost = arena.header->lost.nested_events;
    for (int i = 0; i < 20; i++) {
        uint64_t begin_ns = sys_uptime_ns();
        assert_true(gate_close());
        gate_open();
        assert_true(i == 0 || sys_uptime_ns() - begin_ns < 15ull * MS);
    }
    assert_int_equal(cuts(), before);
    assert_int_equal(arena.header->lost.nested_events, lost + 1);
}

static void *let_go_soon(void *unused)
{
    pause_ms(5);
    set(&shared.go);
    return unused;
}

static void test_who_comes_out_is_waited_for(void **state)
{
    (void)state;
    shared.stay = GUARD_RECORDING;
    pthread_t holder = start(hold_state, NULL);
    wait_for(&shared.began);
    pthread_t helper = start(let_go_soon, NULL);
    assert_true(gate_close());
    assert_true(is_set(&shared.go));
    gate_open();
    pthread_join(holder, NULL);
    pthread_join(helper, NULL);
}

/* A handler that interrupted a recording thread. */
static void test_a_recording_closer_is_counted(void **state)
{
    (void)state;
    uint64_t before = cuts();
    guard_set(GUARD_RECORDING);
    assert_false(gate_close());
    gate_open();
    guard_set(GUARD_OUTSIDE);
    assert_int_equal(cuts(), before + 1);
}

static void *close_and_end(void *unused)
{
    gate_close();
    return unused;
}

static void test_a_dead_closer_holds_up_nobody(void **state)
{
    (void)state;
    pthread_join(start(close_and_end, NULL), NULL);
    uint64_t begin_ns = sys_uptime_ns();
    assert_true(recorder_alloc(lot));
    assert_true(sys_uptime_ns() - begin_ns < 800ull * MS);
    assert_false(gate_is_closed());
}

static void test_a_stalled_closer_is_passed_by(void **state)
{
    (void)state;
    gate_close();
    uint64_t before = cuts();
    pthread_join(start(record_once, NULL), NULL); /* a second */
    assert_false(gate_is_closed());
    gate_open();
    assert_int_equal(cuts(), before + 1);
}

static void *close_often(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        gate_close();
        shared.first++;
        shared.second++;
        gate_open();
    }
    return unused;
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    shared.first = shared.second = 0;
    for (int i = 0; i < THREADS; i++)
        threads[i] = start(close_often, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared.first, THREADS * ROUNDS);
    assert_int_equal(shared.second, THREADS * ROUNDS);
}

static void *record_on(void *unused)
{
    while (!is_set(&shared.done)) {
        recorder_alloc(lot);
        recorder_free(lot);
    }
    return unused;
}

static bool record_in_child(void)
{
    bool closed = gate_is_closed(); /* as it was in the parent */
    return child_expect(closed) && child_expect(recorder_alloc(lot)) &&
           child_expect(!gate_is_closed()) && child_expect(gate_close());
}

static void test_a_child_begins_with_an_open_gate(void **state)
{
    (void)state;
    pthread_t thread = start(record_on, NULL);
    gate_close();
    bool good = child_run(record_in_child);
    gate_open();
    set(&shared.done);
    pthread_join(thread, NULL);
    assert_true(good);
}

/* As by a container's filter. */
static bool refuse_membarrier(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static bool close_without_membarrier(void)
{
    if (!refuse_membarrier())
        return true;
    recorder_alloc(lot);
    if (SANITIZER_THREAD) /* which has no threads in a child */
        return true;
    pthread_t thread = start(record_on, NULL);
    bool good = true;
    for (int i = 0; i < 20 && good; i++) {
        good = child_expect(gate_close());
        gate_open();
    }
    set(&shared.done);
    pthread_join(thread, NULL);
    return good;
}

static void test_without_membarrier(void **state)
{
    (void)state;
    assert_true(child_run(close_without_membarrier));
}

static void on_signal(int number)
{
    (void)number;
    shared.go = gate_close();
    gate_open();
}

static void *close_and_time(void *span_ns)
{
    uint64_t begin_ns = sys_uptime_ns();
    gate_close();
    *(uint64_t *)span_ns = sys_uptime_ns() - begin_ns;
    gate_open();
    return NULL;
}

/* One thread records, another one, that never did, closes: nothing but the barrier orders the two. What
   stands in for a barrier that is refused takes its time, and so tells of it. */
static bool close_by_a_stranger(void)
{
    uint64_t own_ns = 0, stranger_ns = 0;
    if (SANITIZER_THREAD || !refuse_membarrier())
        return true;
    recorder_alloc(lot);
    bool alone = recorder_threads() == 1;
    for (int i = 0; i < 20 && (i == 0 || own_ns >= MS); i++) /* the machine may be busy */
        close_and_time(&own_ns);
    pthread_join(start(close_and_time, &stranger_ns), NULL);
    return child_expect(alone) && child_expect(own_ns < MS) && child_expect(stranger_ns >= MS);
}

static void test_a_stranger_is_ordered_too(void **state)
{
    (void)state;
    assert_true(child_run(close_by_a_stranger));
}

static sigjmp_buf out_of_the_wait;

static void jump_out(int number)
{
    (void)number;
    siglongjmp(out_of_the_wait, 1);
}

static bool escaped(void)
{
    guard_set(GUARD_OUTSIDE);
    return true;
}

static void *record_twice(void *unused)
{
    if (sigsetjmp(out_of_the_wait, 1) == 0) {
        set(&shared.began);
        recorder_alloc(lot);
    } else {
        set(&shared.go);
        recorder_alloc(lot);
    }
    set(&shared.done);
    return unused;
}

/* The gate is as closed as before. */
static void test_who_jumps_out_of_the_wait_waits_again(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = jump_out};
    sigaction(SIGUSR2, &action, NULL);
    guard_process.escaped = escaped;
    gate_close();
    pthread_t thread = start(record_twice, NULL);
    wait_for(&shared.began);
    pause_ms(50);
    pthread_kill(thread, SIGUSR2);
    wait_for(&shared.go);
    pause_ms(50);
    assert_false(is_set(&shared.done));
    gate_open();
    pthread_join(thread, NULL);
    guard_process.escaped = NULL;
    assert_true(is_set(&shared.done));
}

/* What the program's threads may be in when a signal asks for a snapshot. */
static void test_closed_by_a_handler(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    pthread_t thread = start(record_on, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        struct guard_thread *own = i % 2 ? guard_enter() : NULL;
        raise(SIGUSR1);
        assert_true(shared.go);
        if (own)
            guard_leave(own);
    }
    set(&shared.done);
    pthread_join(thread, NULL);
}

#define TEST(name) cmocka_unit_test_setup(test_##name, before_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stranger_is_ordered_too), /* first: a single thread has recorded yet */
        TEST(closed_until_opened),
        TEST(who_wants_to_record_waits),
        TEST(who_calls_is_not_waited_for),
        TEST(who_forks_is_not_waited_for),
        TEST(who_never_comes_out_is_counted),
        TEST(who_comes_out_is_waited_for),
        TEST(who_ends_is_waited_for_once),
        TEST(a_recording_closer_is_counted),
        TEST(a_dead_closer_holds_up_nobody),
        TEST(a_stalled_closer_is_passed_by),
        TEST(one_at_a_time),
        TEST(a_child_begins_with_an_open_gate),
        TEST(without_membarrier),
        TEST(closed_by_a_handler),
        TEST(who_jumps_out_of_the_wait_waits_again),
    };
    if (!recorder_start())
        return 1;
    lot = recorder_lots(1, 100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
