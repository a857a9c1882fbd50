/*
 * block.h - live blocks: which site asked for the block at an address, and for how many bytes.
 *
 * What it is: a two-level shadow of the address space; an entry belongs to the thread that is
 *   allocating or freeing that address, so no event takes a lock. Blocks below BLOCK_LARGE_BYTES
 *   have an entry per 16 bytes of address space, larger ones per KiB.
 * Owns: the shadow (private memory: a forked child has its own copy, as of the fork).
 * Context: hooks. Blocks must be 16-aligned and at least 16 bytes long: hooks see to it.
 * Not here: counting (site.h), mmap records (range.h).
 */
#ifndef HEAPDIFF_PRELOAD_BLOCK_H
#define HEAPDIFF_PRELOAD_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BLOCK_LARGE_BYTES = 1024,  /* two live blocks of this size never start in the same KiB */
    BLOCK_SITE_MAX = 0xffffff, /* 24 bits: the caller gives no larger one */
    BLOCK_EPOCHS = 16          /* epochs are kept modulo this */
};

struct block {
    uint32_t site : 24; /* index into BOX_SITES; 0: none */
    uint32_t epoch : 4; /* collections at birth, modulo 16 */
    uint32_t first : 1; /* belongs to the allocator that was in use before allocator= switched */
    uint32_t : 3;
    uint64_t size_bytes; /* as requested */
};

/* Records a block that now exists at `address`. A record left there by a free that went unseen is
   replaced (a large one under a small one: hidden). False when there is no memory for the shadow,
   or the address is beyond 48 bits. */
bool block_put(uintptr_t address, const struct block *block);

/* Takes the record out, before the address can be reused. False, a zeroed *block: unknown. */
bool block_take(uintptr_t address, struct block *block);

/* The record, left in place. */
bool block_find(uintptr_t address, struct block *block);

/* Calls visit for every live block, in address order: first all small blocks, then all large ones.
   Other threads may go on; a block put or taken meanwhile is seen or not. */
void block_each(void (*visit)(uintptr_t address, const struct block *block, void *context),
                void *context);

/* Bytes of shadow in use so far: touched pages. (Address space reserved is far more.) */
uint64_t block_own_bytes(void);

#endif
