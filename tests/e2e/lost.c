/*
 * lost.c - what cannot be recorded: lost blocks|ranges|cuts. No new memory can be mapped, then come as many
 * allocations, each with a stack of its own, or as many mappings. Prints how many.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, STACK_BITS = 16, RANGES = 100000, HEAP_BLOCKS = 200000 };

static void *volatile sink;

/* Enough of the heap is there already. */
static void grow_heap(void)
{
    static void *blocks[HEAP_BLOCKS];
    for (int i = 0; i < HEAP_BLOCKS; i++)
        blocks[i] = malloc(16);
    sink = malloc(16); /* keeps the heap from shrinking */
    for (int i = 0; i < HEAP_BLOCKS; i++)
        free(blocks[i]);
}

static void limit_to(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        exit(3);
}

static void forbid_more(void)
{
    char line[128];
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || !fgets(line, sizeof line, file) || sscanf(line, "%lu", &pages) != 1)
        exit(3);
    fclose(file);
    limit_to(pages * PAGE_BYTES);
}

/* Each number has a stack of its own: by one call or the other, bit by bit. */
__attribute__((noinline)) static void allocate_by(unsigned number, int bits)
{
    if (bits == 0) {
        sink = malloc(24);
        if (!sink)
            exit(4);
    } else if (number & 1) {
        allocate_by(number >> 1, bits - 1);
        __asm__ volatile("");
    } else {
        allocate_by(number >> 1, bits - 1);
        __asm__ volatile("nop");
    }
}

static int lose_blocks(void)
{
    grow_heap();
    forbid_more();
    for (unsigned i = 0; i < 1u << STACK_BITS; i++)
        allocate_by(i, STACK_BITS);
    limit_to(RLIM_INFINITY); /* what was lost stays lost; a profile needs room */
    return 1 << STACK_BITS;
}

/* Page by page over a range that is there: no more is mapped than before, but there are more ranges. */
static int lose_ranges(void)
{
    const size_t bytes = (size_t)RANGES * PAGE_BYTES;
    char *room = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    forbid_more();
    for (size_t at = 0; at < bytes; at += PAGE_BYTES)
        if (mmap(room + at, PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                 0) == MAP_FAILED)
            exit(4);
    limit_to(RLIM_INFINITY);
    return RANGES;
}

/* Answers the snapshot's signal, and allocates nothing. */
static void *answer(void *argument)
{
    sigset_t asked;
    sigemptyset(&asked);
    sigaddset(&asked, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &asked, NULL);
    for (;;)
        pause();
    return argument;
}

enum { NAPS = 12, NAP_NS = 200000000 };

static volatile int naps;

/* As often as not the thread is in the middle of being recorded, and stays there. */
static void nap(int number)
{
    const struct itimerval next = {.it_value = {0, 1237}};
    const struct timespec long_time = {0, NAP_NS};
    (void)number;
    kill(getpid(), SIGUSR1);
    nanosleep(&long_time, NULL);
    naps++;
    setitimer(ITIMER_REAL, &next, NULL);
}

static int lose_cuts(void)
{
    const struct itimerval first = {.it_value = {0, 1000}};
    struct sigaction action = {.sa_handler = nap, .sa_flags = SA_RESTART};
    pthread_t thread;
    sigset_t asked;
    sigemptyset(&asked);
    sigaddset(&asked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &asked, NULL);
    pthread_create(&thread, NULL, answer, NULL);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &first, NULL);
    while (naps < NAPS)
        free(malloc(24));
    return naps;
}

int main(int count, char **arguments)
{
    if (count < 2)
        return 2;
    if (strcmp(arguments[1], "cuts") == 0)
        printf("%d\n", lose_cuts());
    else
        printf("%d\n", strcmp(arguments[1], "blocks") == 0 ? lose_blocks() : lose_ranges());
    return 0;
}
