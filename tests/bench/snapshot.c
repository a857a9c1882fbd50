/*
 * snapshot: how long a snapshot takes, and how long it holds up a malloc of another thread.
 *
 *     snapshot BLOCKS SITES TIMES
 *
 * Prints, for each snapshot, its ms until the file is there, the longest ms that a malloc and free of the other
 * thread took meanwhile, and the longest they took in as much time without a snapshot (what the machine does by
 * itself), and the profile's bytes.
 */
#include "measure.h"

#include "heapdiff.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IDLE_US = 100000 /* the kernel stops threads of precedence that never rest */ };
enum { STEPS = 8, DEPTH = 6 /* callers that a site's number chooses: 8^6 sites */ };

static atomic_ullong longest_ns;
static atomic_bool busy, over;
static void *volatile sink;

/* Nothing else on the machine shall come between: what holds a thread up is then heapdiff. Needs a right. */
static void take_precedence(void)
{
    struct sched_param parameters = {.sched_priority = 1};
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
        pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters);
}

static void *other_thread(void *argument)
{
    take_precedence();
    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        if (!atomic_load_explicit(&busy, memory_order_relaxed)) {
            usleep(IDLE_US / 100);
            continue;
        }
        uint64_t start_ns = measure_clock_ns(CLOCK_MONOTONIC);
        sink = malloc(64);
        free(sink);
        uint64_t spent_ns = measure_clock_ns(CLOCK_MONOTONIC) - start_ns;
        if (spent_ns > atomic_load_explicit(&longest_ns, memory_order_relaxed))
            atomic_store_explicit(&longest_ns, spent_ns, memory_order_relaxed);
    }
    return argument;
}

typedef void step_fn(int left, unsigned long site, long blocks);
static step_fn *const steps[STEPS];

static __attribute__((noinline)) void fill(long blocks)
{
    for (long i = 0; i < blocks; i++) {
        void **block = malloc(64);
        if (!block)
            exit(1);
        *block = sink; /* a chain: nothing is ever freed */
        sink = block;
    }
}

#define STEP(n)                                                                               \
    static __attribute__((noinline)) void step_##n(int left, unsigned long site, long blocks) \
    {                                                                                         \
        if (left > 0)                                                                         \
            steps[site % STEPS](left - 1, site / STEPS, blocks);                              \
        else                                                                                  \
            fill(blocks);                                                                     \
        __asm__ volatile("");                                                                 \
    }
STEP(0)
STEP(1)
STEP(2)
STEP(3)
STEP(4)
STEP(5)
STEP(6)
STEP(7)

static step_fn *const steps[STEPS] = {step_0, step_1, step_2, step_3,
                                      step_4, step_5, step_6, step_7};

/* Asks for a snapshot and waits for its file: it need not be complete when the call returns. */
static long snapshot_bytes(const char *path)
{
    struct stat file;
    int reason = heapdiff_snapshot(path);
    if (reason != 0)
        return -1;
    while (stat(path, &file) != 0)
        usleep(50);
    return (long)file.st_size;
}

static double held_ms(void)
{
    return (double)atomic_load(&longest_ns) / 1e6;
}

static void measure(int number)
{
    char path[64];
    snprintf(path, sizeof path, "snapshot.%d.prof", number);
    usleep(IDLE_US);
    atomic_store(&busy, true);
    usleep(IDLE_US / 10); /* until the other has seen it */
    atomic_store(&longest_ns, 0);
    uint64_t start_ns = measure_clock_ns(CLOCK_MONOTONIC);
    long bytes = snapshot_bytes(path);
    double taken_ms = (double)(measure_clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e6;
    double held = held_ms();
    atomic_store(&longest_ns, 0);
    usleep((useconds_t)(taken_ms * 1000));
    atomic_store(&busy, false);
    printf("%.3f %.3f %.3f %ld\n", taken_ms, held, held_ms(), bytes);
}

int main(int count, char **arguments)
{
    long blocks = count == 4 ? atol(arguments[1]) : 0;
    long sites = count == 4 ? atol(arguments[2]) : 0;
    pthread_t thread;
    if (sites < 1 || blocks < sites)
        return 2;
    for (long site = 0; site < sites; site++)
        step_0(DEPTH, (unsigned long)site, blocks / sites);
    if (pthread_create(&thread, NULL, other_thread, NULL) != 0)
        return 1;
    take_precedence();
    for (int i = 0; i < atoi(arguments[3]); i++)
        measure(i);
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    return 0;
}
