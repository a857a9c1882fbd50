/*
 * Programs whose memory is known beforehand, for ledger.py. Each prints what it knows as lines "NAME NUMBER".
 *
 *     ledger fragment | survivors | trim | ranges | breaks | threads | huge | idle_threads
 */
#include "heapdiff.h"

#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FRAGMENTS = 1000000, SITES = 16, PAGE = 4096, MIB = 1 << 20 };

static void *volatile sink;

static void say(const char *name, unsigned long long number)
{
    printf("%s %llu\n", name, number);
}

static void snapshot(const char *path)
{
    fflush(stdout);
    int reason = heapdiff_snapshot(path);
    if (reason != 0)
        exit(3);
}

/* The fragmentation program. */

static uint64_t state = 88172645463325252u;

static uint64_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

#define SITE(n)                                               \
    static __attribute__((noinline)) void *site_##n(size_t b) \
    {                                                         \
        void *block = malloc(b);                              \
        __asm__ volatile("" : "+r"(block) : "i"(n));          \
        return block;                                         \
    }
SITE(0)
SITE(1)
SITE(2)
SITE(3)
SITE(4)
SITE(5)
SITE(6)
SITE(7)
SITE(8)
SITE(9)
SITE(10)
SITE(11)
SITE(12)
SITE(13)
SITE(14)
SITE(15)
static void *(*const sites[SITES])(size_t) = {site_0,  site_1,  site_2,  site_3, site_4,  site_5,
                                              site_6,  site_7,  site_8,  site_9, site_10, site_11,
                                              site_12, site_13, site_14, site_15};

static size_t fragment_bytes(uint64_t site)
{
    size_t bytes;
    if (site == 0) {
        bytes = 4096 + draw() % 8192;
        return draw() % 4 != 0 ? 64 : bytes;
    }
    if (site == 1)
        return 1024 + draw() % 1024;
    if (site == 2 && draw() % 64 == 0)
        return 200000;
    return 8 + draw() % (16 * (site + 1));
}

static void *blocks[FRAGMENTS];
static uint32_t block_bytes[FRAGMENTS];

static void fragment(void)
{
    uint64_t live_bytes[SITES] = {0};
    static uint8_t site_of[FRAGMENTS];
    for (int i = 0; i < FRAGMENTS; i++) {
        uint64_t site = draw() % SITES;
        size_t bytes = fragment_bytes(site);
        blocks[i] = sites[site](bytes);
        memset(blocks[i], 1, bytes);
        block_bytes[i] = (uint32_t)bytes;
        site_of[i] = (uint8_t)site;
    }
    for (int i = 0; i < FRAGMENTS; i++)
        if (draw() % 100 < 90)
            free(blocks[i]);
        else
            live_bytes[site_of[i]] += block_bytes[i];
    for (int i = 0; i < SITES; i++) {
        char name[16];
        snprintf(name, sizeof name, "site_%d", i);
        say(name, live_bytes[i]);
    }
    snapshot("ledger.prof");
}

/* 64 bytes that stay beside 4016 that go. */

static __attribute__((noinline)) void *keep_small(void)
{
    void *block = malloc(64);
    __asm__ volatile("" : "+r"(block));
    return block;
}

static void survivors(void)
{
    enum { COUNT = 20000 };
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = malloc(4016);
        memset(blocks[i], 1, 4016);
        memset(keep_small(), 1, 64);
    }
    for (int i = 0; i < COUNT; i++)
        free(blocks[i]);
    say("keep_small", COUNT * 64);
    snapshot("ledger.prof");
}

/* What malloc_trim() returns, by the kernel's count before and after. */

static unsigned long long rss_bytes(void)
{
    unsigned long long kib = 0;
    char line[128];
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Rss: %llu", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib * 1024;
}

#ifdef __GLIBC__
static void trim(void)
{
    fragment();
    unsigned long long before = rss_bytes();
    malloc_trim(0);
    say("returned", before - rss_bytes());
}
#else
static void trim(void)
{
}
#endif

/* Mappings: two sites that the kernel merges, cut, moved, replaced. */

#define MAPPER(name)                                                                  \
    static __attribute__((noinline)) char *name(char *at, size_t bytes)               \
    {                                                                                 \
        int flags = MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0);               \
        char *made = mmap(at, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);           \
        __asm__ volatile("# " #name : "+r"(made)::"memory"); /* or they become one */ \
        if (made == MAP_FAILED)                                                       \
            exit(4);                                                                  \
        madvise(made, bytes, MADV_NOHUGEPAGE);                                        \
        return made;                                                                  \
    }
MAPPER(map_left)
MAPPER(map_right)
MAPPER(map_moved)
MAPPER(map_room)

static void ranges(void)
{
    char *room = map_room(NULL, 64 * MIB);
    munmap(room, 64 * MIB);
    char *left = map_left(room, 8 * MIB);
    memset(left, 1, 8 * MIB);
    char *right = map_right(room + 8 * MIB, 8 * MIB); /* one mapping for the kernel */
    memset(right, 1, 6 * MIB);                        /* 2 MiB are never touched */
    munmap(left + 2 * MIB, 3 * MIB);
    map_right(left + MIB, MIB / 2); /* over the left one, untouched */
    char *moved = map_moved(room + 32 * MIB, MIB);
    memset(moved, 1, MIB);
    moved = mremap(moved, MIB, 4 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, room + 40 * MIB);
    if (moved == MAP_FAILED)
        exit(4);
    memset(moved + MIB, 1, MIB);
    mprotect(moved, PAGE, PROT_NONE); /* touched before: it stays */
    for (int i = 0; i < 64; i++)
        sink = (void *)(uintptr_t)right[7 * MIB + i * PAGE]; /* zero pages are nobody's */
    say("map_left", 8 * MIB - 3 * MIB - MIB / 2);
    say("map_right", 6 * MIB);
    say("map_moved", 2 * MIB);
    snapshot("ledger.prof");
}

/* Breaks that are not at pages, with what malloc takes in between. */

static __attribute__((noinline)) char *move_break(size_t bytes)
{
    char *room = sbrk((intptr_t)bytes);
    __asm__ volatile("" : "+r"(room));
    if (room == (char *)-1)
        exit(4);
    return room;
}

static void breaks(void)
{
    enum { COUNT = 50, BYTES = 100000 };
    for (int i = 0; i < COUNT; i++) {
        memset(move_break(BYTES), 1, BYTES);
        memset(sink = malloc(5000), 1, 5000);
    }
    say("move_break", COUNT * BYTES);
    snapshot("ledger.prof");
}

/* Threads: named, unnamed to us, ended. */

static pthread_barrier_t ready;

static __attribute__((noinline)) void use_stack(size_t bytes)
{
    char room[512 * 1024];
    memset(room, 1, bytes);
    __asm__ volatile("" : : "r"(room) : "memory");
}

static void *thread_main(void *argument)
{
    pthread_setname_np(pthread_self(), argument ? "allocates" : "is quiet");
    use_stack(300 * 1024);
    if (argument)
        sink = malloc(100);
    pthread_barrier_wait(&ready);
    pthread_barrier_wait(&ready);
    return NULL;
}

static void *thread_short(void *argument)
{
    use_stack(100 * 1024);
    sink = malloc(10);
    return argument;
}

static void threads(void)
{
    enum { COUNT = 8 };
    pthread_t made[COUNT], ended;
    pthread_create(&ended, NULL, thread_short, NULL);
    pthread_join(ended, NULL);
    pthread_barrier_init(&ready, NULL, COUNT + 1);
    for (int i = 0; i < COUNT; i++)
        pthread_create(&made[i], NULL, thread_main, i % 2 ? &ready : NULL);
    pthread_barrier_wait(&ready);
    usleep(50000); /* they are in their system calls */
    snapshot("ledger.prof");
    pthread_barrier_wait(&ready);
    for (int i = 0; i < COUNT; i++)
        pthread_join(made[i], NULL);
}

/* 128 bytes on a huge page of the allocator's. */

static __attribute__((noinline)) char *touch_little(void)
{
    char *block = malloc(128);
    __asm__ volatile("" : "+r"(block));
    return block;
}

/* All below the huge page is a filler's, of whose chunk the last word is the next one's header. */
static void huge(void)
{
    enum { HUGE = 2 * MIB, LAST = 1000, LAST_CHUNK = 1008, HEADER = 8 };
    static char output[1024]; /* not on the heap */
    setvbuf(stdout, output, _IOFBF, sizeof output);
    mallopt(M_MMAP_THRESHOLD, 64 * MIB);
    mallopt(M_TOP_PAD, 16 * MIB);
    uintptr_t next = (uintptr_t)malloc(LAST) + LAST_CHUNK;
    uintptr_t aligned = (next + 2 * HUGE - 1) & -(uintptr_t)HUGE;
    sink = malloc(aligned - next - HEADER);
    madvise((void *)aligned, HUGE, MADV_HUGEPAGE);
    char *little = touch_little();
    memset(little, 1, 128);
    say("misplaced", (uintptr_t)little - aligned);
    snapshot("ledger.prof");
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } modes[] = {{"fragment", fragment}, {"survivors", survivors}, {"trim", trim},
                 {"ranges", ranges},     {"breaks", breaks},       {"threads", threads},
                 {"huge", huge}};
    for (size_t i = 0; count == 2 && i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(arguments[1], modes[i].name) == 0) {
            modes[i].run();
            return 0;
        }
    return 2;
}
