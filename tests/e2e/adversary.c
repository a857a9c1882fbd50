/*
 * adversary.c - stacks that are hard to unwind: adversary all|generated|timer|interrupted MICROSECONDS
 *
 * all: every scenario, ROUNDS times, by the main thread alone and then by THREADS at once; interrupted: the
 * same under a storm of signals whose handler maps memory.
 */
#include "adversary.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 10, THREADS = 3 }; /* adversary.py knows them */

static void *volatile sink;

void adversary_allocate(void)
{
    sink = malloc(24);
    free(sink);
}

void adversary_check(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "adversary: broken: %s\n", what);
    exit(3);
}

PLACE static void run_rounds(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        adversary_frames();
        adversary_callbacks();
        adversary_stacks();
        adversary_ends();
        adversary_libraries();
        adversary_vector();
        adversary_cxx();
    }
}

static void *thread_main(void *argument)
{
    adversary_thread_begin();
    adversary_cxx_thread_begin();
    run_rounds();
    return argument;
}

static void exit_handler(void)
{
    adversary_allocate();
    STAY();
}

static void run_all(void)
{
    pthread_t threads[THREADS];

    atexit(exit_handler);
    run_rounds();
    for (int i = 0; i < THREADS; i++)
        adversary_check(pthread_create(&threads[i], NULL, thread_main, NULL) == 0, "a thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    adversary_check(adversary_libraries_reused() > 0, "a place used again");
}

int main(int count, char **arguments)
{
    const char *mode = count > 1 ? arguments[1] : "all";

    if (strcmp(mode, "interrupted") == 0)
        adversary_interrupt(count > 2 ? atol(arguments[2]) : 0);
    if (strcmp(mode, "all") == 0 || strcmp(mode, "interrupted") == 0)
        run_all();
    else if (strcmp(mode, "generated") == 0)
        adversary_generated();
    else if (strcmp(mode, "timer") == 0)
        adversary_timer();
    else
        return 2;
    return 0;
}
