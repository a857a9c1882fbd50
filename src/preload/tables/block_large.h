/*
 * block_large.h - the records of blocks of BLOCK_LARGE_BYTES or more: eight bytes for each KiB.
 *
 * What it is: the parts of block.h's functions that large blocks have. Addresses are recordable ones.
 * Owns: the shadow of large blocks.
 * Context: as block.h.
 * Not here: small blocks, and which of the two a block is (block.c).
 */
#ifndef HEAPDIFF_PRELOAD_BLOCK_LARGE_H
#define HEAPDIFF_PRELOAD_BLOCK_LARGE_H

#include "block.h"

/* block_put(); what small block is in the way has been taken out. */
bool block_large_put(uintptr_t address, const struct block *block);

/* As in block.h, but that *block is left as it is when they are false. */
bool block_large_take(uintptr_t address, struct block *block);
bool block_large_evict(uintptr_t address, uint64_t size_bytes, struct block *block);
bool block_large_find(uintptr_t address, struct block *block);

/* block_each(). */
void block_large_each(block_visit_fn visit, void *context);

/* block_redate(): `kept` is block_births_kept()'s. */
void block_large_redate(uint32_t kept);

#endif
