/*
 * lost.c - what cannot be recorded: lost blocks|ranges. No new memory can be mapped, then come as many
 * allocations, each with a stack of its own, or as many mappings. Prints how many.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

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

int main(int count, char **arguments)
{
    if (count < 2)
        return 2;
    printf("%d\n", strcmp(arguments[1], "blocks") == 0 ? lose_blocks() : lose_ranges());
    return 0;
}
