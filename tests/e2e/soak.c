/*
 * soak.c - threads that come and go while they allocate, free for one another, and count.
 *
 *     soak SECONDS [WORKERS [PAUSE_US]]
 *
 * Prints what a profile written at exit must say of every soak_* function, a line each:
 *     NAME allocations bytes live live-bytes
 * and ends when its standard input does.
 * Blocks wander between threads by a table of slots; what is left in it at the end is live. soak_first
 * and soak_second are called by turns, so that a snapshot that is not of one moment shows.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SITE __attribute__((noinline))

enum { SLOTS = 2048, BURST_THREADS = 1000, BURST_SECONDS = 20, OPERATIONS = 48, PAGE = 4096 };
enum { DEPTH_MAX = 6, STACK_BYTES = 64 << 10, TURN_NS = 5000000 };

enum site { TINY, SMALL, LARGE, ZERO, ALIGNED, GROWN, MAPPED, FIRST, SECOND, BURST, ENDING, SITES };

static const char *const names[SITES] = {"soak_tiny",    "soak_small", "soak_large",  "soak_zero",
                                         "soak_aligned", "soak_grown", "soak_mapped", "soak_first",
                                         "soak_second",  "soak_burst", "soak_ending"};

static struct {
    long allocs, alloc_bytes, frees, free_bytes; /* atomic */
} truth[SITES];

/* Begins every block but the tiny ones. */
struct block {
    uint64_t site;
    uint64_t bytes;
};

static struct block *slots[SLOTS]; /* atomic */
static long threads;               /* that have been created and have not finished; atomic */
static int stop, burst_leaves;     /* atomic */
static pthread_key_t key;
static unsigned pause_us = 10000;

static void add(long *counter, long value)
{
    __atomic_fetch_add(counter, value, __ATOMIC_RELAXED);
}

static void count_alloc(enum site site, size_t bytes)
{
    add(&truth[site].allocs, 1);
    add(&truth[site].alloc_bytes, (long)bytes);
}

static void count_free(enum site site, size_t bytes)
{
    add(&truth[site].frees, 1);
    add(&truth[site].free_bytes, (long)bytes);
}

static void *made(enum site site, void *address, size_t bytes)
{
    struct block *block = address;
    if (!block || address == MAP_FAILED)
        abort();
    count_alloc(site, bytes);
    *block = (struct block){.site = site, .bytes = bytes};
    return block;
}

static SITE struct block *soak_small(size_t bytes)
{
    return made(SMALL, malloc(bytes), bytes);
}

static SITE struct block *soak_large(size_t bytes)
{
    return made(LARGE, malloc(bytes), bytes);
}

static SITE struct block *soak_zero(size_t bytes)
{
    return made(ZERO, calloc(bytes / 16, 16), bytes / 16 * 16);
}

static SITE struct block *soak_aligned(size_t bytes, size_t alignment)
{
    void *address = NULL;
    if (posix_memalign(&address, alignment, bytes) != 0)
        abort();
    return made(ALIGNED, address, bytes);
}

static SITE struct block *soak_mapped(size_t bytes)
{
    return made(MAPPED,
                mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                bytes);
}

/* A mapping stays its site's; what it grows or shrinks by is counted there. */
static SITE struct block *soak_moved(struct block *block, size_t bytes)
{
    size_t before = block->bytes;
    block = mremap(block, before, bytes, MREMAP_MAYMOVE);
    if (block == MAP_FAILED)
        abort();
    if (bytes > before)
        add(&truth[MAPPED].alloc_bytes, (long)(bytes - before));
    else
        add(&truth[MAPPED].free_bytes, (long)(before - bytes));
    block->bytes = bytes;
    return block;
}

static SITE struct block *soak_grown(struct block *block, size_t bytes)
{
    struct block before = *block;
    block = realloc(block, bytes);
    if (!block)
        abort();
    count_free((enum site)before.site, before.bytes);
    return made(GROWN, block, bytes);
}

static SITE void *soak_first(void)
{
    count_alloc(FIRST, 40);
    return malloc(40);
}

static SITE void *soak_second(void)
{
    count_alloc(SECOND, 40);
    return malloc(40);
}

static SITE void soak_tiny(size_t bytes)
{
    void *volatile address = malloc(bytes);
    free(address);
    count_alloc(TINY, bytes);
    count_free(TINY, bytes);
}

static void release(struct block *block)
{
    if (!block)
        return;
    struct block before = *block;
    if (before.site == MAPPED)
        munmap(block, before.bytes);
    else
        free(block);
    count_free((enum site)before.site, before.bytes);
}

static unsigned draw(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*random >> 33);
}

static struct block *swap(uint64_t *random, struct block *block)
{
    return __atomic_exchange_n(&slots[draw(random) % SLOTS], block, __ATOMIC_ACQ_REL);
}

static void pair(void)
{
    void *volatile first = soak_first(), *volatile second = soak_second();
    free(second);
    free(first);
    count_free(SECOND, 40);
    count_free(FIRST, 40);
}

static SITE struct block *make_one(uint64_t *random)
{
    unsigned kind = draw(random) % 32;
    if (kind < 16)
        return soak_small(16 + draw(random) % 500);
    if (kind < 18)
        return soak_large(1024 + draw(random) % 100000);
    if (kind < 24)
        return soak_zero(16 + draw(random) % 2000);
    if (kind < 30)
        return soak_aligned(16 + draw(random) % 3000, (size_t)16 << draw(random) % 9);
    return soak_mapped((size_t)(1 + draw(random) % 16) * PAGE);
}

/* One that somebody has made is changed and handed on. */
static SITE struct block *change_one(uint64_t *random)
{
    struct block *block = swap(random, NULL);
    if (!block)
        return make_one(random);
    if (block->site == MAPPED)
        return soak_moved(block, (size_t)(1 + draw(random) % 16) * PAGE);
    return soak_grown(block, 16 + draw(random) % 4000);
}

/* From different depths, as stacks do differ. */
static SITE void operate(uint64_t *random, unsigned depth)
{
    if (depth > 0) {
        operate(random, depth - 1);
        __asm__ volatile("" ::: "memory"); /* no tail call */
        return;
    }
    unsigned kind = draw(random) % 16;
    if (kind < 4)
        pair();
    else if (kind < 6)
        soak_tiny(draw(random) % 16);
    else
        release(swap(random, kind < 8 ? change_one(random) : make_one(random)));
}

static void nap(long us)
{
    struct timespec span = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&span, NULL);
}

/* A thread's last deeds; as a destructor, after others' perhaps. */
static SITE void soak_ending(void *counter)
{
    void *volatile address = malloc(24);
    free(address);
    count_alloc(ENDING, 24);
    count_free(ENDING, 24);
    if (counter)
        add(counter, -1);
}

static void *work(void *seed)
{
    uint64_t random = (uint64_t)(uintptr_t)seed;
    pthread_setspecific(key, &threads);
    for (unsigned rounds = 5 + draw(&random) % 300; rounds > 0; rounds--) {
        for (unsigned i = 0; i < OPERATIONS; i++)
            operate(&random, draw(&random) % DEPTH_MAX);
        if (__atomic_load_n(&stop, __ATOMIC_RELAXED))
            break;
        nap(pause_us);
    }
    soak_ending(NULL);
    return NULL;
}

static SITE struct block *soak_burst(size_t bytes)
{
    return made(BURST, malloc(bytes), bytes);
}

/* All of a burst live at the same time. */
static void *burst_work(void *seed)
{
    uint64_t random = (uint64_t)(uintptr_t)seed;
    struct block *block = soak_burst(100);
    while (!__atomic_load_n(&burst_leaves, __ATOMIC_ACQUIRE))
        nap(10000);
    release(swap(&random, block));
    add(&threads, -1);
    return NULL;
}

static bool create(void *(*run)(void *), uint64_t seed)
{
    pthread_t thread;
    pthread_attr_t how;
    pthread_attr_init(&how);
    pthread_attr_setstacksize(&how, STACK_BYTES);
    pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    add(&threads, 1);
    bool created = pthread_create(&thread, &how, run, (void *)(uintptr_t)seed) == 0;
    if (!created)
        add(&threads, -1);
    pthread_attr_destroy(&how);
    return created;
}

static void burst(uint64_t *random)
{
    __atomic_store_n(&burst_leaves, 0, __ATOMIC_RELEASE);
    for (int i = 0; i < BURST_THREADS; i++)
        create(burst_work, draw(random));
    __atomic_store_n(&burst_leaves, 1, __ATOMIC_RELEASE);
}

static double uptime_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void run(double seconds, long workers)
{
    uint64_t random = 1;
    double end_s = uptime_s() + seconds, burst_s = uptime_s() + 1;
    while (uptime_s() < end_s) {
        if (uptime_s() >= burst_s) {
            burst(&random);
            burst_s = uptime_s() + BURST_SECONDS;
        }
        while (__atomic_load_n(&threads, __ATOMIC_RELAXED) < workers && create(work, draw(&random)))
            ;
        nap(TURN_NS / 1000);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&threads, __ATOMIC_ACQUIRE) > 0)
        nap(1000);
}

int main(int argument_count, char **arguments)
{
    pthread_key_create(&key, soak_ending);
    puts("ready");
    fflush(stdout);
    if (argument_count > 3)
        pause_us = (unsigned)atoi(arguments[3]);
    run(argument_count > 1 ? atof(arguments[1]) : 1, argument_count > 2 ? atol(arguments[2]) : 8);
    for (int i = 0; i < SITES; i++)
        printf("%s %ld %ld %ld %ld\n", names[i], truth[i].allocs, truth[i].alloc_bytes,
               truth[i].allocs - truth[i].frees, truth[i].alloc_bytes - truth[i].free_bytes);
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}
