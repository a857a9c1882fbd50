/*
 * Memory in shapes that are known, for memory.py. Each prints what it knows as lines "NAME NUMBER".
 *
 *     memory fast | few | top | large | mapped | partly | pages | mixed | aligned | shrunk | trimmed | alive | ended
 *     memory arenas | crowd | beside | unguarded
 */
#include "heapdiff.h"

#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCKS_MAX = 300000, THREADS = 8, THREAD_BLOCKS = 20000, CROWD = 1000, PAGE = 4096 };

static void *blocks[BLOCKS_MAX];
static uint64_t state = 88172645463325252u;
static pthread_barrier_t turn;

static void say(const char *name, unsigned long long number)
{
    printf("%s %llu\n", name, number);
}

static void snapshot(void)
{
    fflush(stdout);
    if (heapdiff_snapshot("ledger.prof") != 0)
        exit(3);
}

static uint64_t next_of(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static uint64_t draw(void)
{
    return next_of(&state);
}

static __attribute__((noinline)) void *fill(size_t bytes)
{
    void *block = malloc(bytes);
    return memset(block, 1, bytes);
}

/* `count` blocks of [least, limit) bytes; every `kept`th stays, or with 0 none. */
static void fill_and_free(int count, size_t least, size_t limit, int kept)
{
    for (int i = 0; i < count; i++)
        blocks[i] = fill(least + draw() % (limit - least));
    for (int i = 0; i < count; i++)
        if (kept == 0 || i % kept != 0)
            free(blocks[i]);
}

/* What malloc_trim() finds. */

static void fast(void)
{
    fill_and_free(BLOCKS_MAX, 16, 100, 1000);
}

static void few(void)
{
    fill_and_free(60000, 900, 1032, 10);
}

static void top(void)
{
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    for (int i = 0; i < 20000; i++)
        blocks[i] = fill(100 + draw() % 2900);
    for (int i = 19999; i > 2000; i--)
        free(blocks[i]);
}

static void large(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    fill_and_free(300, 50000, 500000, 3);
}

static void mapped(void)
{
    fill_and_free(300, 100000, 500000, 3);
}

static void partly(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    for (int i = 0; i < 200; i++)
        blocks[i] = memset(malloc(1000000), 1, 300000);
    for (int i = 0; i < 200; i += 2)
        free(blocks[i]);
}

static void pages(void)
{
    fill_and_free(50000, 4090, 4110, 4);
}

static void mixed(void)
{
    for (int i = 0; i < BLOCKS_MAX; i++)
        blocks[i] = fill(8 + draw() % (draw() % 10 ? 300 : 12000));
    for (int i = 0; i < BLOCKS_MAX; i++)
        if (draw() % 100 < 70) {
            free(blocks[i]);
            blocks[i] = draw() % 3 == 0 ? malloc(8 + draw() % 500) : NULL;
        }
}

static void aligned(void)
{
    for (int i = 0; i < 20000; i++)
        blocks[i] = memset(memalign((size_t)64 << draw() % 7, 100 + draw() % 4000), 1, 100);
    for (int i = 0; i < 20000; i++)
        if (draw() % 4)
            free(blocks[i]);
}

static void shrunk(void)
{
    for (int i = 0; i < 20000; i++)
        blocks[i] = fill(8000);
    for (int i = 0; i < 20000; i++)
        if (draw() % 3)
            blocks[i] = realloc(blocks[i], 100);
}

static void trimmed(void)
{
    fill_and_free(50000, 100, 8000, 10);
    malloc_trim(0);
}

/* Threads with heaps of their own. */

static void *churn(void *number)
{
    void **own = malloc(THREAD_BLOCKS * sizeof *own);
    uint64_t seed = (uintptr_t)number * 7919 + 88172645463325252u;
    for (int i = 0; i < THREAD_BLOCKS; i++)
        own[i] = fill(16 + next_of(&seed) % 2000);
    for (int i = 0; i < THREAD_BLOCKS; i++)
        if (next_of(&seed) % 100 < 90)
            free(own[i]);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    return NULL;
}

static pthread_t threads[CROWD];

static void start(int count, void *(*run)(void *), const pthread_attr_t *how)
{
    pthread_barrier_init(&turn, NULL, (unsigned)count + 1);
    for (intptr_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], how, run, (void *)(i + 1)) != 0)
            exit(4);
    pthread_barrier_wait(&turn);
}

static void join(int count)
{
    pthread_barrier_wait(&turn);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static void alive(void)
{
    start(THREADS, churn, NULL);
}

static void ended(void)
{
    start(THREADS, churn, NULL);
    join(THREADS);
}

/* What other pages are. */

static __attribute__((noinline)) void *in_arena(size_t bytes)
{
    void *block = malloc(bytes);
    __asm__ volatile("" : "+r"(block));
    return memset(block, 1, bytes);
}

static void *use_arena(void *number)
{
    (void)number;
    for (int i = 0; i < 1000; i++)
        if (!in_arena(3000))
            exit(4);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    return NULL;
}

static void arenas(void)
{
    start(THREADS, use_arena, NULL);
    say("in_arena", THREADS * 1000ull * 3000);
    snapshot();
}

static void *touch_stack(void *number)
{
    char room[20000];
    memset(room, 1, sizeof room);
    __asm__ volatile("" : : "r"(room) : "memory");
    pthread_setname_np(pthread_self(), "one of many");
    free(malloc(100));
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    return number;
}

static void crowd(void)
{
    start(CROWD, touch_stack, NULL);
    usleep(100000); /* until they wait */
    say("stacks", CROWD * 20000ull);
    snapshot();
    _exit(0);
}

/* Stacks without a guard below them, that libc keeps for threads to come. */
static void unguarded(void)
{
    pthread_attr_t how;
    pthread_attr_init(&how);
    pthread_attr_setguardsize(&how, 0);
    pthread_attr_setstacksize(&how, 1 << 20); /* of 40 MiB libc keeps none */
    start(THREADS, touch_stack, &how);
    join(THREADS);
    say("stacks", THREADS * 20000ull);
    snapshot();
}

static __attribute__((noinline)) char *map_beside(char *at, size_t bytes)
{
    char *made = mmap(at, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    __asm__ volatile("" : "+r"(made)::"memory");
    return made == MAP_FAILED ? exit(4), NULL : made;
}

/* A mapping right behind the heap: the kernel makes one of the two, under the heap's name. */
static void beside(void)
{
    enum { BYTES = 1 << 20 };
    char *end = fill(PAGE), *heap_end = sbrk(0);
    char *at = (char *)(((uintptr_t)heap_end + PAGE - 1) & -(uintptr_t)PAGE);
    memset(map_beside(at, BYTES), 1, BYTES);
    say("map_beside", BYTES);
    say("page", (uintptr_t)end != 0 ? PAGE : 0);
    snapshot();
}

static unsigned long long anonymous_bytes(void)
{
    static char buffer[4096];
    unsigned long long kib = 0;
    char line[128];
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    if (!file)
        exit(4);
    setvbuf(file, buffer, _IOFBF, sizeof buffer);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Anonymous: %llu", &kib) == 1)
            break;
    fclose(file);
    return kib * 1024;
}

static void foretell(void)
{
    snapshot();
    anonymous_bytes(); /* what reading it needs is there from now on */
    unsigned long long before = anonymous_bytes();
    malloc_trim(0);
    unsigned long long after = anonymous_bytes();
    say("returned", before > after ? before - after : 0);
    fflush(stdout);
    _exit(0);
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*make)(void), (*then)(void);
    } modes[] = {{"fast", fast, foretell},       {"few", few, foretell},
                 {"top", top, foretell},         {"large", large, foretell},
                 {"mapped", mapped, foretell},   {"partly", partly, foretell},
                 {"pages", pages, foretell},     {"mixed", mixed, foretell},
                 {"aligned", aligned, foretell}, {"shrunk", shrunk, foretell},
                 {"trimmed", trimmed, foretell}, {"alive", alive, foretell},
                 {"ended", ended, foretell},     {"arenas", arenas, NULL},
                 {"crowd", crowd, NULL},         {"beside", beside, NULL},
                 {"unguarded", unguarded, NULL}};
    for (size_t i = 0; count == 2 && i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(arguments[1], modes[i].name) == 0) {
            modes[i].make();
            if (modes[i].then)
                modes[i].then();
            fflush(stdout);
            _exit(0);
        }
    return 2;
}
