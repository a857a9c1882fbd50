#include "preload/tables/thread.h"

#include "preload/ground/arena.h"
#include "preload/ground/sys.h"

#include "child.h"
#include "recorder.h"
#include "sanitizer.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <cmocka.h>

#include "emulator.h"

enum {
    ALIVE = SANITIZER_THREAD ? 100 : 1000,
    SEQUENCE = SANITIZER_THREAD ? 500 : 20000,
    WARM = 32,    /* THREAD_WARM_MAX */
    UNSEEN = 300, /* that end without a destructor */
    MANY_LOTS = 4096,
    FIRST_SLOTS = 64, /* of a thread's first table of counters */
    KEYS = 40
};

static uint32_t lot;
static unsigned alive = ALIVE,
                sequence = SEQUENCE; /* of threads; fewer where each costs milliseconds */
static pthread_barrier_t barrier;
static pthread_key_t late;

static void run(void *(*body)(void *))
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, NULL) != 0)
        abort();
    pthread_join(thread, NULL);
}

static void *record(void *unused)
{
    if (!recorder_alloc(lot))
        abort();
    return unused;
}

static uint64_t counted(void)
{
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        delta_fold(&thread->delta);
    const struct box_site *site = arena_entry(BOX_SITES, lot_at(lot)->site);
    return site->alloc_objects;
}

static void test_one_after_another_share_one(void **state)
{
    (void)state;
    run(record);
    uint64_t bytes = thread_own_bytes(), before = counted();
    unsigned threads = recorder_threads();
    for (unsigned i = 0; i < sequence; i++)
        run(record);
    assert_int_equal(recorder_threads(), threads);
    assert_int_equal(thread_own_bytes(), bytes);
    assert_int_equal(counted(), before + sequence);
}

static sigjmp_buf out_of_the_pool;
static volatile bool jumped;

static void jump_out(int number)
{
    (void)number;
    if (jumped) /* the number is then said to be somebody's */
        return;
    jumped = true;
    siglongjmp(out_of_the_pool, 1);
}

static bool escaped(void)
{
    thread_escape();
    guard_set(GUARD_OUTSIDE);
    return true;
}

static void *jump_and_record(void *recorded)
{
    if (sigsetjmp(out_of_the_pool, 1) == 0)
        recorder_alloc(lot);
    else
        *(bool *)recorded = recorder_alloc(lot);
    return NULL;
}

/* The system call that is made with the pool's lock held sends a signal in its place. */
static bool jump_with_the_lock(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
    struct sigaction action = {.sa_handler = jump_out};
    pthread_t thread;
    bool recorded = false;
    if (SANITIZER_THREAD) /* which has no threads in a child */
        return true;
    recorder_alloc(lot);
    guard_process.escaped = escaped;
    sigaction(SIGSYS, &action, NULL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return true;
    if (pthread_create(&thread, NULL, jump_and_record, &recorded) != 0)
        return child_expect(false);
    pthread_join(thread, NULL);
    return child_expect(recorded) && child_expect(recorder_threads() == 2);
}

static void test_a_jump_out_of_the_first_event(void **state)
{
    (void)state;
    record(NULL);
    assert_true(child_run(jump_with_the_lock));
}

static void *record_late(void *unused)
{
    record(NULL);
    pthread_setspecific(late, &late);
    return unused;
}

static void record_again(void *unused)
{
    record(unused);
}

/* Destructors that allocate after ours has given the struct back. */
static void test_events_of_destructors_count(void **state)
{
    (void)state;
    assert_int_equal(pthread_key_create(&late, record_again), 0);
    run(record_late);
    uint64_t before = counted();
    unsigned threads = recorder_threads();
    for (int i = 0; i < UNSEEN; i++)
        run(record_late);
    assert_int_equal(recorder_threads(), threads);
    assert_int_equal(counted(), before + 2ull * UNSEEN);
    pthread_key_delete(late);
}

static uint32_t paused_at_the_end;

static void look_whether_paused(void *unused)
{
    record(unused);
    paused_at_the_end = guard_self()->paused;
}

/* Paused before its first event, and no longer when it ends. */
static void *resume_before_the_end(void *unused)
{
    guard_self()->paused++;
    record(unused);
    guard_self()->paused--;
    pthread_setspecific(late, &late);
    return unused;
}

/* ... or the other way round. */
static void *pause_before_the_end(void *unused)
{
    record(unused);
    guard_self()->paused++;
    pthread_setspecific(late, &late);
    return unused;
}

static void test_destructors_are_paused_as_their_thread_was(void **state)
{
    (void)state;
    assert_int_equal(pthread_key_create(&late, look_whether_paused), 0);
    paused_at_the_end = 7;
    run(resume_before_the_end);
    assert_int_equal(paused_at_the_end, 0);
    run(pause_before_the_end);
    assert_int_equal(paused_at_the_end, 1);
    pthread_key_delete(late);
}

static void record_to_the_last(void *unused)
{
    record(unused);
    pthread_setspecific(late, &late); /* as often as libc allows: at last after ours */
}

/* What a thread takes when nothing will give it back for it, it gives back at once. */
static void test_nothing_stays_with_the_ended(void **state)
{
    (void)state;
    if (SANITIZER_THREAD) /* to which a thread has ended before its last destructors run */
        skip();
    run(record);
    unsigned threads = recorder_threads();
    uint64_t before = counted();
    assert_int_equal(pthread_key_create(&late, record_to_the_last), 0);
    for (int i = 0; i < UNSEEN; i++)
        run(record_late);
    pthread_key_delete(late);
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        assert_true(thread->tid == 0 || thread_lives(thread->tid));
    assert_int_equal(recorder_threads(), threads);
    assert_true(counted() >= before + 2ull * UNSEEN);
}

static void *record_together(void *unused)
{
    record(NULL);
    pthread_barrier_wait(&barrier);
    return unused;
}

/* So many threads, each with a struct, that end at the same time. */
static void run_together(unsigned count)
{
    static pthread_t threads[ALIVE];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    pthread_barrier_init(&barrier, NULL, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], &attributes, record_together, NULL), 0);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
}

static void test_many_at_once(void **state)
{
    (void)state;
    uint64_t before = counted();
    run_together(alive);
    assert_int_equal(counted(), before + alive);
    unsigned made = recorder_threads();
    assert_in_range(made, alive, alive + 10);
    assert_true(thread_own_bytes() / made <
                60 << 10); /* of which pages that are not touched cost nothing */
    run(record);
    assert_int_equal(recorder_threads(), made);
}

static unsigned warm_structs(void)
{
    unsigned count = 0;
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        count += thread->tid == 0 && !thread->cold;
    return count;
}

/* However many end together, so many structs keep their memory and no more. */
static void test_few_stay_warm(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        run_together(alive / 10);
        assert_in_range(warm_structs(), 1, WARM);
    }
}

/* What so many have left is a page each, but for some; whoever comes next has it all. */
static void test_after_many_memory_goes_back(void **state)
{
    (void)state;
    test_many_at_once(state);
    unsigned made = recorder_threads();
    uint64_t bytes = thread_own_bytes(), before = counted();
    assert_int_equal(warm_structs(), WARM);
    assert_in_range(bytes, made * 4096ull, made * 4096ull + (4 << 20));
    for (int i = 0; i < 100; i++)
        run(record);
    assert_int_equal(thread_own_bytes(), bytes);
    assert_int_equal(counted(), before + 100);
    test_many_at_once(state); /* all of them again, out of what is cold */
    assert_int_equal(recorder_threads(), made);
    assert_int_equal(thread_own_bytes(), bytes);
}

static uint32_t many_lots[MANY_LOTS];

/* Lots enough to outgrow the first table, each counted once. */
static void *record_many(void *unused)
{
    for (int turn = 0; turn < 4; turn++)
        for (unsigned i = 0; i < MANY_LOTS; i++)
            recorder_alloc(many_lots[i]);
    return thread_of(guard_own)->delta.mask >= FIRST_SLOTS ? unused : NULL;
}

static uint64_t counted_on_many(void)
{
    uint64_t sum = 0;
    counted();
    for (unsigned i = 0; i < MANY_LOTS; i++) {
        const struct box_site *site = arena_entry(BOX_SITES, lot_at(many_lots[i])->site);
        sum += site->alloc_objects;
    }
    return sum;
}

static void test_large_tables_are_handed_on(void **state)
{
    (void)state;
    uint32_t first = recorder_lots(MANY_LOTS, 8), slots = 0;
    for (uint32_t i = 0; i < MANY_LOTS; i++)
        many_lots[i] = first + i;
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        void *grown;
        assert_int_equal(pthread_create(&thread, NULL, record_many, &many_lots), 0);
        pthread_join(thread, &grown);
        assert_non_null(grown);
        for (struct thread *one = thread_first(); one; one = one->next)
            assert_true(one->tid != 0 || one->delta.mask < FIRST_SLOTS);
        if (i == 0)
            slots = arena.tables[BOX_DELTAS].count;
        assert_int_equal(arena.tables[BOX_DELTAS].count, slots);
    }
    assert_int_equal(counted_on_many(), 20ull * 4 * MANY_LOTS);
}

/* With so many keys before ours, glibc would allocate to keep a value for it. */
static bool end_unseen(void)
{
    pthread_key_t key;
    if (SANITIZER_THREAD) /* which has no threads in a child */
        return true;
    for (int i = 0; i < KEYS; i++)
        if (pthread_key_create(&key, NULL) != 0)
            return false;
    thread_init();
    recorder_alloc(lot);
    run(record);
    unsigned before = recorder_threads();
    for (int i = 0; i < UNSEEN; i++)
        run(record);
    return child_expect(recorder_threads() <= before + 1);
}

static void test_threads_that_end_unseen_are_found(void **state)
{
    (void)state;
    assert_true(child_run(end_unseen));
}

static void on_signal(int number)
{
    (void)number;
    recorder_alloc(lot); /* nested, or not: it must come back */
}

static bool stop;

static void *begin_often(void *unused)
{
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
        run(record);
    return unused;
}

/* Handlers that allocate, in threads that are taking or giving back their struct. */
static void test_handlers_come_in_anywhere(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    const struct itimerspec often = {{0, 100000}, {0, 100000}};
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    timer_settime(timer, 0, &often, NULL);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, begin_often, NULL), 0);
    for (int i = 0; i < 500; i++)
        run(record);
    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    timer_delete(timer);
}

static bool count_in_child(void)
{
    unsigned before = recorder_threads();
    recorder_alloc(lot); /* notices the fork */
    unsigned taken = 0;
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        taken += thread->tid != 0;
    bool good = child_expect(taken == 1) && child_expect(thread_of(guard_own)->tid == sys_tid());
    for (int i = 0; i < (SANITIZER_THREAD ? 0 : 10); i++) /* TSan: no threads in a child */
        run(record);
    return good && child_expect(recorder_threads() <= before + 1);
}

static void *record_and_stay(void *unused)
{
    record(NULL);
    pthread_barrier_wait(
        &barrier); /* before any fork: a sanitizer's locks stay locked in the child */
    pthread_barrier_wait(&barrier);
    return unused;
}

static void *fork_here(void *result)
{
    recorder_alloc(lot);
    pthread_barrier_wait(&barrier);
    *(bool *)result = child_run(count_in_child);
    return NULL;
}

/* The child has but the thread that forked, here not the first one. */
static void test_a_child_has_one_thread(void **state)
{
    (void)state;
    if (emulator_lacks("pages that are wiped on fork"))
        skip();
    pthread_t thread, idle;
    bool good = false;
    pthread_barrier_init(&barrier, NULL, 2);
    assert_int_equal(pthread_create(&idle, NULL, record_and_stay, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, fork_here, &good), 0);
    pthread_join(thread, NULL);
    pthread_barrier_wait(&barrier);
    pthread_join(idle, NULL);
    assert_true(good);
}

/* A thread without a struct forks, while others take and give back theirs. */
static bool begin_in_child(void)
{
    return child_expect(recorder_alloc(lot));
}

static void *fork_untouched(void *result)
{
    *(bool *)result = true;
    for (int i = 0; i < 50 && *(bool *)result; i++)
        *(bool *)result = child_run(begin_in_child);
    return NULL;
}

static void test_forks_before_the_first_event(void **state)
{
    (void)state;
    if (emulator_lacks("pages that are wiped on fork"))
        skip();
    pthread_t thread, busy;
    bool good = false;
    stop = false;
    assert_int_equal(pthread_create(&busy, NULL, begin_often, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, fork_untouched, &good), 0);
    pthread_join(thread, NULL);
    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
    pthread_join(busy, NULL);
    assert_true(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_jump_out_of_the_first_event), /* first: no struct is free */
        cmocka_unit_test(test_one_after_another_share_one),
        cmocka_unit_test(test_events_of_destructors_count),
        cmocka_unit_test(test_destructors_are_paused_as_their_thread_was),
        cmocka_unit_test(test_nothing_stays_with_the_ended),
        cmocka_unit_test(test_threads_that_end_unseen_are_found),
        cmocka_unit_test(test_handlers_come_in_anywhere),
        cmocka_unit_test(test_a_child_has_one_thread),
        cmocka_unit_test(test_forks_before_the_first_event),
        cmocka_unit_test(test_large_tables_are_handed_on),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_few_stay_warm),
        cmocka_unit_test(test_after_many_memory_goes_back),
    };
    if (getenv("HEAPDIFF_EMULATED")) {
        alive /= 10;
        sequence /= 10;
    }
    if (!recorder_start())
        return 1;
    lot = recorder_lots(1, 100);
    record(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
