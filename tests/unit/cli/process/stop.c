/* A process stopped from outside: nothing of it moves, and nothing is lost when it goes on. */
#include "cli/process/stop.h"
#include "cli/process/seizure.h"

#include "sanitizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COUNTERS = 1024, MANY = 1000, QUEUED = 20, CHILD_MS = 1500 };

/* What the stopped process writes, seen from here. */
struct scene {
    uint64_t counters[COUNTERS];
    int ids[COUNTERS];
    uint32_t signals, interrupted, ready;
    long pause_ns; /* between two counts of a thread */
};

static struct scene *scene;

static void nap(long ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0)
        continue;
}

static void *count(void *argument)
{
    size_t i = (size_t)(uintptr_t)argument;
    scene->ids[i] = (int)syscall(SYS_gettid);
    __atomic_add_fetch(&scene->ready, 1, __ATOMIC_RELEASE);
    for (;;) {
        __atomic_add_fetch(&scene->counters[i], 1, __ATOMIC_RELAXED);
        if (nanosleep(&(struct timespec){.tv_nsec = scene->pause_ns}, NULL) != 0)
            __atomic_add_fetch(&scene->interrupted, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void start_thread(void *(*body)(void *), size_t i)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 16);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    while (pthread_create(&thread, &attributes, body, (void *)(uintptr_t)i) != 0)
        nap(1);
}

/* Counts once, gives birth to its successor, ends. */
static void *beget(void *argument)
{
    size_t i = (size_t)(uintptr_t)argument;
    __atomic_add_fetch(&scene->counters[i], 1, __ATOMIC_RELAXED);
    start_thread(beget, i);
    return NULL;
}

static void take_signal(int number)
{
    (void)number;
    __atomic_add_fetch(&scene->signals, 1, __ATOMIC_RELAXED);
}

static int start_process(size_t threads, size_t lines_of_descent)
{
    *scene = (struct scene){.pause_ns = threads > 100 ? 100000000 : 1000000};
    int pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGRTMIN, take_signal);
    for (size_t i = 0; i < threads; i++)
        start_thread(count, i + 1);
    for (size_t i = 0; i < lines_of_descent; i++)
        start_thread(beget, i + 1);
    count(NULL);
    _exit(0);
}

static void wait_until_ready(uint32_t threads)
{
    while (__atomic_load_n(&scene->ready, __ATOMIC_ACQUIRE) < threads)
        nap(1);
}

static void end_process(int pid)
{
    int status;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static uint64_t sum_of_counters(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < COUNTERS; i++)
        sum += __atomic_load_n(&scene->counters[i], __ATOMIC_RELAXED);
    return sum;
}

static void assert_stands(void)
{
    uint64_t sum = sum_of_counters();
    nap(20);
    assert_int_equal(sum_of_counters(), sum);
}

static void assert_moves(void)
{
    uint64_t sum = sum_of_counters();
    nap(150);
    assert_true(sum_of_counters() > sum);
}

static void must_stop(struct stop *stop, int pid)
{
    char *reason = stop_all(stop, pid);
    if (reason)
        fail_msg("%s", reason);
}

static void test_many_threads(void **state)
{
    (void)state;
    struct stop stop;
    int pid = start_process(MANY, 0);
    wait_until_ready(MANY + 1);
    for (int i = 0; i < 5; i++) {
        must_stop(&stop, pid);
        assert_int_equal(stop.thread_count, MANY + 1);
        assert_int_equal(stop.restless_count, 0);
        assert_stands();
        stop_release(&stop);
        assert_moves();
    }
    assert_int_equal(scene->interrupted, 0);
    end_process(pid);
}

/* Threads that are born and end all the time: none is left out. */
static void test_newborn(void **state)
{
    (void)state;
    struct stop stop;
    int pid = start_process(0, 8);
    wait_until_ready(1);
    for (int i = 0; i < 50; i++) {
        must_stop(&stop, pid);
        assert_stands();
        stop_release(&stop);
        nap(1);
    }
    assert_moves();
    end_process(pid);
}

static void queue_signals(int pid)
{
    for (int i = 0; i < QUEUED; i++)
        assert_int_equal(sigqueue(pid, SIGRTMIN, (union sigval){0}), 0);
}

static void assert_signals(uint32_t expected)
{
    for (int i = 0; i < 200 && __atomic_load_n(&scene->signals, __ATOMIC_RELAXED) < expected; i++)
        nap(10);
    assert_int_equal(scene->signals, expected);
}

/* Signals sent before, while it is being stopped, and while it stands: each arrives once. */
static void test_signals(void **state)
{
    (void)state;
    struct stop stop;
    int pid = start_process(4, 0);
    wait_until_ready(5);
    for (uint32_t i = 1; i <= 20; i++) {
        queue_signals(pid);
        must_stop(&stop, pid);
        uint32_t before = scene->signals;
        queue_signals(pid);
        nap(2);
        assert_int_equal(scene->signals, before);
        stop_release(&stop);
        assert_signals(i * 2 * QUEUED);
    }
    end_process(pid);
}

/* Whoever stopped it is killed: it goes on, and has lost no signal. */
static void test_killed(void **state)
{
    (void)state;
    int pid = start_process(4, 0);
    wait_until_ready(5);
    for (uint32_t i = 1; i <= 10; i++) {
        int ready[2];
        char byte;
        assert_int_equal(pipe(ready), 0);
        int stopper = fork();
        if (stopper == 0) {
            struct stop stop;
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            queue_signals(pid); /* at once: some are about to be taken when it is stopped */
            char *reason = stop_all(&stop, pid);
            _exit(reason || stop.restless_count > 0 || write(ready[1], "", 1) != 1 || pause() != 0);
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        assert_stands();
        end_process(stopper);
        assert_moves();
        assert_signals(i * QUEUED);
        close(ready[0]);
    }
    end_process(pid);
}

static void test_spare(void **state)
{
    (void)state;
    struct stop stop;
    int pid = start_process(3, 0);
    wait_until_ready(4);
    must_stop(&stop, pid);
    assert_false(stop_spare(&stop, 1));
    assert_true(stop_spare(&stop, scene->ids[2]));
    assert_false(stop_spare(&stop, scene->ids[2]));
    uint64_t others = sum_of_counters() - scene->counters[2], one = scene->counters[2];
    nap(50);
    assert_true(scene->counters[2] > one);
    assert_int_equal(sum_of_counters() - scene->counters[2], others);
    stop_release(&stop);
    assert_moves();
    end_process(pid);
}

/* One that a signal has stopped stays so. */
static void test_stopped_before(void **state)
{
    (void)state;
    struct stop stop;
    int status, pid = start_process(2, 0);
    wait_until_ready(3);
    kill(pid, SIGSTOP);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    must_stop(&stop, pid);
    assert_stands();
    stop_release(&stop);
    assert_stands();
    kill(pid, SIGCONT);
    assert_moves();
    end_process(pid);
}

static void assert_refused(int pid, const char *part)
{
    struct stop stop;
    char *reason = stop_all(&stop, pid);
    assert_non_null(reason);
    if (!strstr(reason, part))
        fail_msg("%s", reason);
    assert_null(stop.tracer);
    stop_release(&stop);
    free(reason);
}

static void test_refused(void **state)
{
    (void)state;
    struct stop stop;
    int status, pid = start_process(1, 0);
    wait_until_ready(2);
    must_stop(&stop, pid);
    assert_refused(pid, "traces it already");
    stop_release(&stop);
    int other = fork();
    if (other == 0) {
        if (setuid(65534) == 0) /* as root only */
            assert_refused(pid, "may not be stopped");
        _exit(0);
    }
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    assert_moves();
    kill(pid, SIGKILL);
    nap(50);
    assert_refused(pid, "has ended"); /* a zombie yet */
    waitpid(pid, &status, 0);
    assert_refused(pid, "has ended");
}

/* A leader that waits in the kernel (for vfork's child), beside a thread. */
static int start_waiting(void)
{
    *scene = (struct scene){.pause_ns = 1000000};
    int pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    start_thread(count, 1);
    wait_until_ready(1);
    if (vfork() == 0) {
        nap(CHILD_MS);
        _exit(0);
    }
    _exit(0);
}

static void *kill_soon(void *pid)
{
    nap(200);
    kill((int)(intptr_t)pid, SIGKILL);
    return NULL;
}

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Killed while its leader is waited for, whose end the kernel does not tell: that is seen all the same. */
static void test_killed_meanwhile(void **state)
{
    (void)state;
    int status, pid = start_waiting();
    pthread_t killer;
    wait_until_ready(1);
    nap(50);
    long before = now_ms();
    assert_int_equal(pthread_create(&killer, NULL, kill_soon, (void *)(intptr_t)pid), 0);
    assert_refused(pid, "has ended");
    assert_in_range(now_ms() - before, 0, SEIZURE_SCHEDULE_MS / 2);
    pthread_join(killer, NULL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

int main(void)
{
    scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_threads), cmocka_unit_test(test_newborn),
        cmocka_unit_test(test_signals),      cmocka_unit_test(test_killed),
        cmocka_unit_test(test_spare),        cmocka_unit_test(test_stopped_before),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_killed_meanwhile),
    };
    if (SANITIZER_THREAD)
        return 77; /* its own thread is in each child, which may then start none */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
