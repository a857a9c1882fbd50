/*
 * index.h - finds a table entry by a hash of its key.
 *
 * What it is: open addressing over 64-bit slots {32 bits of the hash, entry index}; the entries
 *   themselves live elsewhere and are compared in full by the caller's function.
 * Owns: the slots (private memory). Replaced slots stay mapped: a reader may still be in them.
 * Context: index_find() anywhere, no lock; index_add() under the caller's lock.
 * Not here: deleting (nothing is ever deleted; dead entries stop comparing equal).
 */
#ifndef HEAPDIFF_PRELOAD_INDEX_H
#define HEAPDIFF_PRELOAD_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index {
    struct index_slots *slots; /* NULL: empty */
    uint32_t count;
    uint64_t own_bytes;
};

typedef bool (*index_equal_fn)(uint32_t item, const void *key);

/* The item whose key equals `key`, or 0. */
uint32_t index_find(const struct index *index, uint64_t hash, index_equal_fn equal,
                    const void *key);

/* Adds an item that index_find() did not find. False when memory is out. */
bool index_add(struct index *index, uint64_t hash, uint32_t item);

/* Bytes of all slots ever mapped. Any thread. */
static inline uint64_t index_own_bytes(const struct index *index)
{
    return __atomic_load_n(&index->own_bytes, __ATOMIC_RELAXED);
}

/* Spreads the bits of `value` over 64. */
static inline uint64_t index_mix(uint64_t value)
{
    value *= 0x9e3779b97f4a7c15ull;
    return value ^ (value >> 32);
}

#endif
