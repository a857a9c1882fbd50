/*
 * usable.h - what the allocator gives beyond what was asked for.
 *
 * What it is: glibc's rounding by formula; other allocators are asked (malloc_usable_size) once for each lot, in the
 *   event that first meets it, and remembered: nobody asks an allocator from a handler. Blocks without a
 *   lot: by formula where what was learnt shows that the allocator has four sizes for each power
 *   of two (jemalloc), else nothing is known, and their slack counts as pinned.
 * Owns: what was learnt, by number of lot (private memory).
 * Context: usable_learn(): hooks, after the allocator returned; usable_slack(): anywhere.
 * Not here: how much of it is resident (share.h).
 */
#ifndef HEAPDIFF_PRELOAD_USABLE_H
#define HEAPDIFF_PRELOAD_USABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Start-up. `ask` is the real malloc_usable_size() or NULL; `formula`: glibc's malloc, which is not asked. */
void usable_init(size_t (*ask)(void *address), bool formula);

/* The allocator has returned `address` for a request of `size_bytes`; lot 0: none. Cheap when it is known. */
void usable_learn(uint32_t lot, void *address, uint64_t size_bytes);

/* Bytes past the `size_bytes` requested of the block at `address`, whose lot this is; 0: none, or not
   known. `mapped`: not in a heap of the allocator's, perhaps a mapping of its own. */
uint64_t usable_slack(uint32_t lot, uintptr_t address, uint64_t size_bytes, bool mapped);

uint64_t usable_own_bytes(void);

#endif
