/* The adversary's other stacks: coroutines whose stacks go, alternate stacks, signals, ends of threads. */
#include "adversary.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

enum { COROUTINES = 6, STEPS = 3, STACK_BYTES = 64 << 10, TIMER_EVENTS = 200 };

static __thread ucontext_t home, coroutines[COROUTINES];
static __thread int current;

PLACE static void coroutine_even(void)
{
    for (int step = 0; step < STEPS; step++) {
        adversary_allocate();
        swapcontext(&coroutines[current], &home);
    }
}

PLACE static void coroutine_deeper(void)
{
    adversary_allocate();
    STAY();
}

PLACE static void coroutine_odd(void)
{
    for (int step = 0; step < STEPS; step++) {
        char room[1000];
        __asm__ volatile("" : : "r"(room) : "memory");
        coroutine_deeper();
        swapcontext(&coroutines[current], &home);
    }
}

static void coroutine_make(int i, void *stack)
{
    adversary_check(stack != NULL && stack != MAP_FAILED, "a stack");
    getcontext(&coroutines[i]);
    coroutines[i].uc_stack.ss_sp = stack;
    coroutines[i].uc_stack.ss_size = STACK_BYTES;
    coroutines[i].uc_link = &home;
    makecontext(&coroutines[i], i % 2 ? coroutine_odd : coroutine_even, 0);
}

/* By turns, one step each; the last switch lets them return. */
static void coroutines_run(void)
{
    for (int step = 0; step <= STEPS; step++)
        for (current = 0; current < COROUTINES; current++)
            swapcontext(&home, &coroutines[current]);
}

/* Their stacks are unmapped or freed; the next round's lie in the same place, or nowhere. */
PLACE static void coroutine_run(void)
{
    void *stacks[COROUTINES];
    for (int i = 0; i < COROUTINES; i++)
        coroutine_make(i, stacks[i] = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    coroutines_run();
    for (int i = 0; i < COROUTINES; i++)
        munmap(stacks[i], STACK_BYTES);
    for (int i = 0; i < COROUTINES; i++)
        coroutine_make(COROUTINES - 1 - i, stacks[i] = malloc(STACK_BYTES));
    coroutines_run();
    for (int i = 0; i < COROUTINES; i++)
        free(stacks[i]);
}

/* signals; the disposition is the process's, so that all threads set the same */

static __thread sigjmp_buf escape;

PLACE static void alternate_handler(int number)
{
    (void)number;
    adversary_allocate();
    STAY();
}

PLACE static void outer_handler(int number)
{
    (void)number;
    raise(SIGURG);
    STAY();
}

PLACE static void escape_handler(int number)
{
    (void)number;
    adversary_allocate();
    siglongjmp(escape, 1);
}

PLACE static void alternate_raise(int left)
{
    if (left > 0)
        alternate_raise(left - 1);
    else
        raise(SIGURG);
    STAY();
}

PLACE static void nested_run(void)
{
    raise(SIGWINCH);
    STAY();
}

PLACE static void escape_run(void)
{
    if (sigsetjmp(escape, 1) == 0)
        raise(SIGIO);
    STAY();
}

PLACE static void signal_run(void)
{
    static __thread char room[64 << 10]; /* signals may come on top, and libunwind wants room */
    stack_t other = {.ss_sp = room, .ss_size = sizeof room};
    struct sigaction alternate = {.sa_handler = alternate_handler, .sa_flags = SA_ONSTACK};
    struct sigaction outer = {.sa_handler = outer_handler, .sa_flags = 0};
    struct sigaction leaving = {.sa_handler = escape_handler, .sa_flags = SA_ONSTACK};

    sigaltstack(&other, NULL);
    sigaction(SIGURG, &alternate, NULL);
    sigaction(SIGWINCH, &outer, NULL);
    sigaction(SIGIO, &leaving, NULL);
    alternate_raise(5);
    nested_run();
    escape_run();
}

void adversary_stacks(void)
{
    coroutine_run();
    signal_run();
    STAY();
}

/* ends of threads */

static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

PLACE static void key_destructor(void *value)
{
    (void)value;
    adversary_allocate();
    STAY();
}

PLACE static void once_routine(void)
{
    adversary_allocate();
    STAY();
}

static void key_make(void)
{
    pthread_key_create(&key, key_destructor);
}

void adversary_thread_begin(void)
{
    pthread_once(&key_once, key_make);
    pthread_setspecific(key, &key);
}

PLACE static void cancel_cleanup(void *argument)
{
    (void)argument;
    adversary_allocate();
    STAY();
}

PLACE static void cancel_wait(void)
{
    for (;;)
        pause();
}

static void *cancel_main(void *argument)
{
    sigset_t timer; /* its handler over pause() could be cancelled, too, anywhere in malloc's kin */
    sigemptyset(&timer);
    sigaddset(&timer, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &timer, NULL);
    adversary_thread_begin();
    pthread_cleanup_push(cancel_cleanup, NULL);
    cancel_wait();
    pthread_cleanup_pop(0);
    return argument;
}

PLACE static void once_run(void)
{
    pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, once_routine);
    STAY();
}

void adversary_ends(void)
{
    pthread_t thread;
    void *result;

    once_run();
    adversary_check(pthread_create(&thread, NULL, cancel_main, NULL) == 0, "a thread");
    pthread_cancel(thread);
    pthread_join(thread, &result);
    adversary_check(result == PTHREAD_CANCELED, "a cancelled thread");
}

/* A timer whose handler maps memory, over a loop that does nothing but allocate. */

static volatile sig_atomic_t timer_events;

PLACE static void timer_handler(int number)
{
    (void)number;
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page, 4096);
    timer_events += page != MAP_FAILED;
}

PLACE static void timer_loop(int left)
{
    if (left > 0)
        timer_loop(left - 1);
    else
        adversary_allocate();
    STAY();
}

static void timer_set(int which, int number, long microseconds)
{
    struct sigaction action = {.sa_handler = timer_handler, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, microseconds}, {0, microseconds}};

    sigaction(number, &action, NULL);
    adversary_check(setitimer(which, &often, NULL) == 0, "a timer");
}

void adversary_timer(void)
{
    timer_set(ITIMER_PROF, SIGPROF, 500);
    for (int i = 0; timer_events < TIMER_EVENTS; i++)
        timer_loop(i % 30);
    timer_set(ITIMER_PROF, SIGPROF, 0);
    printf("%d\n", (int)timer_events);
}

void adversary_interrupt(long microseconds)
{
    timer_set(ITIMER_REAL, SIGALRM, microseconds); /* of finer grain than processor time */
}
