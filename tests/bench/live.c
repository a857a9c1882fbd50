/*
 * live: a heap of many 64-byte blocks, filled, turned over and emptied; prints the CPU ns of a turn-over,
 * which frees a block and allocates one.
 *
 *     live chain BLOCKS         the blocks hang together in a list; the oldest is replaced
 *     live random BLOCKS        a table names the blocks; any of them is replaced
 *     live once BLOCKS          a chain that is filled, replaced once as a whole, and emptied: the same work in
 *                               every run, for its CPU time and its peak; prints 0
 */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BLOCK_BYTES = 64, BATCH = 4000 };

struct block {
    struct block *next;
};

struct heap {
    struct block *first, *last; /* of the chain */
    struct block **table;       /* NULL for a chain; not from the heap */
    uint64_t blocks;
    uint64_t random;
};

static struct block *block_new(void)
{
    struct block *block = malloc(BLOCK_BYTES);
    if (!block)
        exit(1);
    memset(block, 0, BLOCK_BYTES);
    return block;
}

static void heap_fill(struct heap *heap)
{
    heap->first = heap->last = block_new();
    for (uint64_t i = 1; i < heap->blocks; i++) {
        heap->last->next = block_new();
        heap->last = heap->last->next;
    }
    uint64_t at = 0;
    if (heap->table)
        for (struct block *block = heap->first; block; block = block->next)
            heap->table[at++] = block;
}

static void turn_chain(void *argument, long count)
{
    struct heap *heap = argument;
    for (long i = 0; i < count; i++) {
        struct block *oldest = heap->first;
        heap->first = oldest->next;
        free(oldest);
        heap->last->next = block_new();
        heap->last = heap->last->next;
    }
}

static void turn_random(void *argument, long count)
{
    struct heap *heap = argument;
    for (long i = 0; i < count; i++) {
        heap->random = heap->random * 6364136223846793005u + 1442695040888963407u;
        struct block **place = &heap->table[(heap->random >> 24) % heap->blocks];
        free(*place);
        *place = block_new();
    }
}

static void heap_empty(struct heap *heap)
{
    for (uint64_t i = 0; heap->table && i < heap->blocks; i++)
        free(heap->table[i]);
    while (!heap->table && heap->first) {
        struct block *block = heap->first;
        heap->first = block->next;
        free(block);
    }
}

static double heap_turn(struct heap *heap, const char *kind)
{
    if (strcmp(kind, "once") != 0)
        return measure_least_ns(heap->table ? turn_random : turn_chain, heap, BATCH);
    turn_chain(heap, (long)heap->blocks);
    return 0;
}

int main(int count, char **arguments)
{
    struct heap heap = {.blocks = count == 3 ? strtoull(arguments[2], NULL, 0) : 0};
    if (heap.blocks < 2)
        return 2;
    if (strcmp(arguments[1], "random") == 0) {
        heap.table = mmap(NULL, heap.blocks * sizeof *heap.table, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (heap.table == MAP_FAILED)
            return 1;
    }
    heap_fill(&heap);
    printf("%.2f\n", heap_turn(&heap, arguments[1]));
    heap_empty(&heap);
    return 0;
}
