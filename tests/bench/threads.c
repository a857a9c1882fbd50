/*
 * threads: the CPU ns of an event when threads share the work; prints the mean of the threads' medians.
 *
 *     threads pairs THREADS     each frees what it allocated, 10 callers deep
 *     threads cross PAIRS       of each two threads, one allocates what the other frees
 *     threads storm THREADS     creates and joins so many, each of which allocates once: ns a thread
 */
#include "measure.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS_MAX = 1024,
    STACK_BYTES = 256 * 1024,
    BATCH_PAIRS = 4000,
    DEPTH = 6,          /* of descend(), to have 10 callers */
    CROSS_BLOCKS = 512, /* handed over at a time: the hand-over itself shall not count */
    CROSS_BATCHES = 2000,
    STORM_ROUNDS = 15
};

static void *volatile sink;

static __attribute__((noinline)) void pairs(long count)
{
    for (long i = 0; i < count; i++) {
        void *block = malloc(64);
        sink = block;
        free(block);
    }
}

static __attribute__((noinline)) void descend(int left, long count)
{
    if (left > 0)
        descend(left - 1, count);
    else
        pairs(count);
    __asm__ volatile("");
}

static void descend_whole(void *argument, long count)
{
    (void)argument;
    descend(DEPTH, count);
}

struct worker {
    pthread_t thread;
    double ns;
};

static struct worker workers[THREADS_MAX];
static pthread_barrier_t barrier;
static uint64_t share_ns; /* of each thread: all together take as long as one alone would */

static void *worker_pairs(void *argument)
{
    struct worker *worker = argument;
    pthread_barrier_wait(&barrier);
    struct work work = {descend_whole, NULL, BATCH_PAIRS, CLOCK_THREAD_CPUTIME_ID, share_ns};
    worker->ns = measure_ns(&work, 0.5);
    return NULL;
}

static void *worker_once(void *argument)
{
    descend(DEPTH, 1);
    return argument;
}

static void threads_run(int count, void *(*body)(void *))
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (int i = 0; i < count; i++)
        if (pthread_create(&workers[i].thread, &attributes, body, &workers[i]) != 0)
            exit(1);
    for (int i = 0; i < count; i++)
        pthread_join(workers[i].thread, NULL);
    pthread_attr_destroy(&attributes);
}

static double pairs_ns(int count)
{
    double total_ns = 0;
    share_ns = MEASURE_NS / (unsigned)count;
    pthread_barrier_init(&barrier, NULL, (unsigned)count);
    threads_run(count, worker_pairs);
    for (int i = 0; i < count; i++)
        total_ns += workers[i].ns;
    return total_ns / count;
}

static double storm_ns(int count)
{
    uint64_t times_ns[STORM_ROUNDS];
    for (int round = 0; round < STORM_ROUNDS; round++) {
        uint64_t start_ns = measure_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        threads_run(count, worker_once);
        times_ns[round] = measure_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start_ns;
    }
    qsort(times_ns, STORM_ROUNDS, sizeof *times_ns, measure_compare);
    return (double)times_ns[STORM_ROUNDS / 2] / count;
}

/* One pair of threads: blocks go over in batches, so many under way that neither waits for each. */
struct lane {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool full;
    void *blocks[CROSS_BLOCKS];
    uint64_t allocate_ns[CROSS_BATCHES], free_ns[CROSS_BATCHES];
};

static void lane_wait(struct lane *lane, bool full)
{
    pthread_mutex_lock(&lane->lock);
    while (lane->full != full)
        pthread_cond_wait(&lane->changed, &lane->lock);
    pthread_mutex_unlock(&lane->lock);
}

static void lane_set(struct lane *lane, bool full)
{
    pthread_mutex_lock(&lane->lock);
    lane->full = full;
    pthread_cond_signal(&lane->changed);
    pthread_mutex_unlock(&lane->lock);
}

static void *lane_allocate(void *argument)
{
    struct lane *lane = argument;
    for (int batch = 0; batch < CROSS_BATCHES; batch++) {
        lane_wait(lane, false);
        uint64_t start_ns = measure_clock_ns(CLOCK_THREAD_CPUTIME_ID);
        for (int i = 0; i < CROSS_BLOCKS; i++)
            lane->blocks[i] = malloc(64);
        lane->allocate_ns[batch] = measure_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns;
        lane_set(lane, true);
    }
    return NULL;
}

static void *lane_free(void *argument)
{
    struct lane *lane = argument;
    for (int batch = 0; batch < CROSS_BATCHES; batch++) {
        lane_wait(lane, true);
        uint64_t start_ns = measure_clock_ns(CLOCK_THREAD_CPUTIME_ID);
        for (int i = 0; i < CROSS_BLOCKS; i++)
            free(lane->blocks[i]);
        lane->free_ns[batch] = measure_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns;
        lane_set(lane, false);
    }
    return NULL;
}

static double median_ns(uint64_t *times_ns)
{
    qsort(times_ns, CROSS_BATCHES, sizeof *times_ns, measure_compare);
    return (double)times_ns[CROSS_BATCHES / 2];
}

static double cross_ns(int pairs_of_threads)
{
    struct lane *lanes = calloc((size_t)pairs_of_threads, sizeof *lanes);
    double total_ns = 0;
    for (int i = 0; i < pairs_of_threads; i++) {
        pthread_mutex_init(&lanes[i].lock, NULL);
        pthread_cond_init(&lanes[i].changed, NULL);
        pthread_create(&workers[2 * i].thread, NULL, lane_allocate, &lanes[i]);
        pthread_create(&workers[2 * i + 1].thread, NULL, lane_free, &lanes[i]);
    }
    for (int i = 0; i < 2 * pairs_of_threads; i++)
        pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < pairs_of_threads; i++)
        total_ns += median_ns(lanes[i].allocate_ns) + median_ns(lanes[i].free_ns);
    total_ns /= CROSS_BLOCKS;
    free(lanes);
    return total_ns / pairs_of_threads;
}

int main(int count, char **arguments)
{
    int number = count == 3 ? atoi(arguments[2]) : 0;
    if (number < 1 || number > THREADS_MAX / 2)
        return 2;
    if (strcmp(arguments[1], "pairs") == 0)
        printf("%.2f\n", pairs_ns(number));
    else if (strcmp(arguments[1], "cross") == 0)
        printf("%.2f\n", cross_ns(number));
    else if (strcmp(arguments[1], "storm") == 0)
        printf("%.2f\n", storm_ns(number));
    else
        return 2;
    return 0;
}
