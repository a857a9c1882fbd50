/*
 * storm.c - threads that allocate without pause while signals rain.
 *
 *     storm SECONDS    prints how many blocks storm_thread asked for in all; frees every one
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS = 4, HELD = 64 };

static volatile int stop;
static long counts[THREADS];

static void *storm_thread(void *argument)
{
    long *count = argument;
    void *held[HELD] = {NULL};

    for (; !stop; ++*count) {
        void **slot = &held[*count % HELD];
        free(*slot);
        *slot = malloc(32 + (size_t)(*count % 7) * 16);
    }
    for (int i = 0; i < HELD; i++)
        free(held[i]);
    return NULL;
}

int main(int argument_count, char **arguments)
{
    unsigned left = argument_count > 1 ? (unsigned)atoi(arguments[1]) : 1;
    pthread_t threads[THREADS];
    long sum = 0;

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, storm_thread, &counts[i]);
    puts("ready");
    fflush(stdout);
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += left;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
        ;
    stop = 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        sum += counts[i];
    printf("%ld\n", sum);
    return 0;
}
