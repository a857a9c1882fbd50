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

enum {
    USABLE_HEADER_BYTES = 8, /* of glibc's malloc: what a block in use costs */
    USABLE_BYTES_MIN = 24,
    USABLE_ALIGN = 16,
    USABLE_MAPPED_MIN = 128 << 10 /* glibc's M_MMAP_THRESHOLD, to begin with */
};

struct usable {
    bool formula; /* the allocator is glibc's malloc */
};
extern struct usable usable __attribute__((visibility("hidden")));

/* The rest of usable_slack(). */
uint64_t usable_slack_rare(uint32_t lot, uintptr_t address, uint64_t size_bytes, bool mapped);

/* Of glibc's malloc, below USABLE_MAPPED_MIN: chunks of 16 bytes, 32 at least, of which 8 are the header. */
static inline uint64_t usable_slack_small(uint64_t size_bytes)
{
    uint64_t rest_bytes = (USABLE_HEADER_BYTES - size_bytes) % USABLE_ALIGN;
    return size_bytes < USABLE_BYTES_MIN ? USABLE_BYTES_MIN - size_bytes : rest_bytes;
}

/* Bytes past the `size_bytes` requested of the block at `address`, whose lot this is; 0: none, or not
   known. `mapped`: not in a heap of the allocator's, perhaps a mapping of its own. */
static inline uint64_t usable_slack(uint32_t lot, uintptr_t address, uint64_t size_bytes,
                                    bool mapped)
{
    if (!usable.formula || size_bytes >= USABLE_MAPPED_MIN)
        return usable_slack_rare(lot, address, size_bytes, mapped);
    return usable_slack_small(size_bytes);
}

uint64_t usable_own_bytes(void);

#endif
