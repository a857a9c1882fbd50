/* What a program on the Boehm collector does with known figures; one line says what it saw itself. */
#define GC_THREADS
#ifdef BOEHM_DEBUG
#define GC_DEBUG
#endif
#include <gc.h>

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LEAKED = 10000, SINCE = 300, GARBAGE = 100000, EACH = 104, GARBAGE_EACH = 200, THREADS = 4 };

struct node {
    struct node *next;
    char room[EACH - sizeof(struct node *)];
};

static struct node *volatile head;
static int events, own_ends;

__attribute__((noinline)) static void leak_site(int count)
{
    for (int i = 0; i < count; i++) {
        struct node *node = GC_MALLOC(sizeof(*node));
        node->next = head;
        head = node;
    }
}

__attribute__((noinline)) static void garbage_site(int count)
{
    for (int i = 0; i < count; i++) {
        char *volatile object = GC_MALLOC_ATOMIC(GARBAGE_EACH);
        *object = 1;
    }
}

/* What lies below on the stack may still point to objects. */
__attribute__((noinline)) static void forget(void)
{
    volatile char room[4096];
    for (size_t i = 0; i < sizeof(room); i++)
        room[i] = 0;
}

static void on_event(GC_EventType event)
{
    events++;
    own_ends += event == GC_EVENT_END;
}

static void collect(void)
{
    forget();
    GC_gcollect();
}

static int known(void)
{
    leak_site(LEAKED);
    garbage_site(GARBAGE);
    collect();
    leak_site(SINCE);
    printf("%d\n", (int)GC_get_gc_no());
    return 0;
}

/* A hook of the program's own, set when ours is there, is told of everything, and is the one that there is. */
static int chain(void)
{
    GC_set_on_collection_event(on_event);
    int first = (int)GC_get_gc_no();
    for (int i = 0; i < 3; i++)
        collect();
    printf("%d ends, %s, %d collections\n", own_ends,
           GC_get_on_collection_event() == on_event && events > own_ends ? "mine" : "another's",
           (int)GC_get_gc_no() - first);
    return 0;
}

static void *allocate(void *unused)
{
    struct node *own = NULL;
    for (int i = 0; i < 20000; i++) {
        garbage_site(1);
        if (i % 20 == 0) {
            struct node *node = GC_MALLOC(sizeof(*node));
            node->next = own;
            own = node;
        }
    }
    (void)unused;
    return own;
}

static int threads(void)
{
    static void *lists[THREADS];
    pthread_t running[THREADS];
    int length = 0;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&running[i], NULL, allocate, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(running[i], &lists[i]);
    for (int i = 0; i < THREADS; i++)
        for (struct node *node = lists[i]; node; node = node->next)
            length++;
    collect();
    printf("%d kept\n", length);
    return 0;
}

enum { STOPPED_DEPTH = 24, STOPPED_MAPPINGS = 20, PAGE_BYTES = 4096 };
static volatile int is_over;
static int asks;

static void map_and_unmap(void)
{
    char *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[0] = 1;
    munmap(page, PAGE_BYTES);
}

/* Ever new stacks, each a path of 24 turns. */
__attribute__((noinline)) static void wander(uint32_t turns, int depth)
{
    if (depth == 0) {
        free(malloc(10));
        map_and_unmap();
        garbage_site(1);
    } else if (turns & 1) {
        wander(turns >> 1, depth - 1);
        __asm__ volatile("");
    } else {
        wander(turns >> 1, depth - 1);
        __asm__ volatile("nop");
    }
}

static void *wander_on(void *seed)
{
    uint32_t turns = (uint32_t)(uintptr_t)seed;
    while (!is_over)
        wander(turns = turns * 1664525 + 1013904223, STOPPED_DEPTH);
    return NULL;
}

/* The others stand still, at any instruction: whoever waits for one of them waits for ever. */
static void on_stop(GC_EventType event)
{
    if (event != GC_EVENT_POST_STOP_WORLD && event != GC_EVENT_MARK_END)
        return;
    for (int i = 0; i < STOPPED_MAPPINGS; i++)
        map_and_unmap();
    if (asks)
        raise(SIGUSR1);
}

static int stopped(int rounds)
{
    pthread_t running[THREADS];
    GC_set_on_collection_event(on_stop);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&running[i], NULL, wander_on, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < rounds; i++)
        collect();
    is_over = 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(running[i], NULL);
    printf("over\n");
    return 0;
}

/* One of each: those that are kept are live, the others were freed by hand. */
__attribute__((noinline)) static void family_site(void **kept)
{
    kept[0] = GC_MALLOC(1000);
    kept[1] = GC_MALLOC_ATOMIC(2000);
    kept[2] = GC_MALLOC_UNCOLLECTABLE(300);
    kept[3] = GC_STRDUP("fifteen letters");
    kept[4] = GC_REALLOC(GC_MALLOC(50), 5000);
    kept[5] = GC_MALLOC_IGNORE_OFF_PAGE(200000);
    kept[6] = GC_MALLOC_ATOMIC_IGNORE_OFF_PAGE(300000);
    GC_FREE(GC_MALLOC(700));
#ifndef BOEHM_DEBUG
    kept[7] = GC_memalign(64, 640);
#else
    kept[7] = GC_MALLOC(640);
#endif
}

static int family(void)
{
    static void *kept[8];
    family_site(kept);
    collect();
    printf("%s\n", (char *)kept[3]);
    return 0;
}

int main(int count, char **arguments)
{
    const char *mode = count > 1 ? arguments[1] : "";
    if (strcmp(mode, "before") == 0) { /* before ours is known to be there: chained as well */
        GC_set_on_collection_event(on_event);
        mode = "known";
    }
    GC_INIT();
    if (strcmp(mode, "known") == 0)
        return known();
    if (strcmp(mode, "chain") == 0)
        return chain();
    if (strcmp(mode, "threads") == 0)
        return threads();
    asks = count > 3;
    if (strcmp(mode, "stopped") == 0 && count > 2)
        return stopped(atoi(arguments[2]));
    return strcmp(mode, "family") == 0 ? family() : 2;
}
