/*
 * cancelled.c - threads that are cancelled in the middle of a hook.
 *
 *     cancelled ROUNDS [exit]
 *
 * A thread in pause() may be cancelled at any instruction of a handler that has interrupted it: also while
 * that handler is in one of our hooks. It maps and unmaps, from stacks that nobody has seen before;
 * malloc would leave libc's own locks held. At least MAPPED_MIN times a round, of which the last may be cut
 * short. With `exit` the thread ends by the system call alone, in the handler of a second signal: not even
 * its destructors run. Prints "done" if nobody waits for ever.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SITE __attribute__((noinline))

enum { STEPS = 12, PAGE = 4096, MAPPED_MIN = 12 };

static unsigned path; /* a stack's turns; atomic */
static int waits;     /* atomic */

static SITE void map_one(void)
{
    void *at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at != MAP_FAILED)
        munmap(at, PAGE);
}

static SITE void turn_left(unsigned turns, unsigned left);

static SITE void turn_right(unsigned turns, unsigned left)
{
    if (left == 0)
        map_one();
    else if (turns & 1)
        turn_right(turns >> 1, left - 1);
    else
        turn_left(turns >> 1, left - 1);
    __asm__ volatile("" ::: "memory"); /* no tail call */
}

static SITE void turn_left(unsigned turns, unsigned left)
{
    turn_right(turns, left);
    __asm__ volatile("" ::: "memory");
}

static void map_many(int signal)
{
    (void)signal;
    for (int i = 0; i < 100000; i++)
        turn_right(__atomic_fetch_add(&path, 1, __ATOMIC_RELAXED), STEPS);
}

static void leave(int signal)
{
    (void)signal;
    syscall(SYS_exit, 0);
}

static void *wait_here(void *tid)
{
    __atomic_store_n((pid_t *)tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    __atomic_store_n(&waits, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
    return NULL;
}

static void nap_us(long us)
{
    struct timespec span = {0, us * 1000};
    nanosleep(&span, NULL);
}

static void wait_for_end(pid_t tid)
{
    while (syscall(SYS_tgkill, getpid(), tid, 0) == 0)
        nap_us(200);
}

static void round_of(int number, int exits)
{
    pthread_t thread;
    pid_t tid = 0;
    __atomic_store_n(&waits, 0, __ATOMIC_RELAXED);
    if (pthread_create(&thread, NULL, wait_here, &tid) != 0)
        abort();
    while (!__atomic_load_n(&waits, __ATOMIC_ACQUIRE))
        nap_us(50);
    nap_us(100);
    unsigned before = __atomic_load_n(&path, __ATOMIC_RELAXED);
    pthread_kill(thread, SIGUSR2);
    while (__atomic_load_n(&path, __ATOMIC_RELAXED) - before < MAPPED_MIN)
        nap_us(50);
    nap_us(number * 37 % 400); /* anywhere in a later one */
    if (exits) {
        pthread_kill(thread, SIGALRM);
        wait_for_end(tid); /* it cannot be joined: libc has not been told */
    } else {
        pthread_cancel(thread);
        pthread_join(thread, NULL);
    }
    turn_left(__atomic_fetch_add(&path, 1, __ATOMIC_RELAXED), STEPS);
}

int main(int argument_count, char **arguments)
{
    int rounds = argument_count > 1 ? atoi(arguments[1]) : 1;
    int exits = argument_count > 2 && strcmp(arguments[2], "exit") == 0;
    signal(SIGUSR2, map_many);
    signal(SIGALRM, leave);
    for (int i = 0; i < rounds; i++)
        round_of(i, exits);
    puts("done");
    return 0;
}
