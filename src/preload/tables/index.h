/*
 * index.h - finds a table entry by a hash of its key.
 *
 * What it is: open addressing over 64-bit slots {32 bits of the hash, entry index}; the entries
 *   themselves live elsewhere and are compared in full by the caller's function.
 * Owns: the slots (private memory). Replaced slots stay mapped, empty: a reader may still be in them.
 * Context: index_find() anywhere, no lock; index_add() under the caller's lock.
 * Not here: deleting (nothing is ever deleted; dead entries stop comparing equal).
 */
#ifndef HEAPDIFF_PRELOAD_INDEX_H
#define HEAPDIFF_PRELOAD_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index_slots {
    uint32_t bits; /* log2 of the number of slots */
    uint32_t padding;
    uint64_t slot[]; /* {upper 32 bits of the hash, item}; 0: free */
};

struct index {
    struct index_slots *slots; /* NULL: empty */
    uint32_t count;
    uint64_t own_bytes;
};

typedef bool (*index_equal_fn)(uint32_t item, const void *key);

/* Adds an item that index_find() did not find. False when memory is out. */
bool index_add(struct index *index, uint64_t hash, uint32_t item);

/* Bytes of all slots. Any thread. */
static inline uint64_t index_own_bytes(const struct index *index)
{
    return __atomic_load_n(&index->own_bytes, __ATOMIC_RELAXED);
}

/* Slots are chosen by the hash's top bits, which the slot keeps: growing needs no keys. */
static inline uint32_t index_slot(uint32_t tag, uint32_t bits)
{
    return tag >> (32 - bits);
}

/* The item whose key equals `key`, or 0. Inline, so that `equal` is, too. */
static inline __attribute__((always_inline)) uint32_t index_find(const struct index *index,
                                                                 uint64_t hash,
                                                                 index_equal_fn equal,
                                                                 const void *key)
{
    /* pairs: index_grow() */
    const struct index_slots *slots = __atomic_load_n(&index->slots, __ATOMIC_ACQUIRE), *searched;
    uint32_t tag = (uint32_t)(hash >> 32);
    for (searched = NULL; slots != searched;
         slots = __atomic_load_n(&index->slots, __ATOMIC_ACQUIRE)) {
        uint32_t mask = (uint32_t)((1ull << slots->bits) - 1);
        for (uint32_t at = index_slot(tag, slots->bits);; at = (at + 1) & mask) {
            /* pairs: slots_put() */
            uint64_t slot = __atomic_load_n(&slots->slot[at], __ATOMIC_ACQUIRE);
            if (slot == 0)
                break;
            if ((uint32_t)(slot >> 32) == tag && equal((uint32_t)slot, key))
                return (uint32_t)slot;
        }
        searched = slots; /* replaced meanwhile, they may have been emptied */
    }
    return 0;
}

/* Spreads the bits of `value` over 64. */
static inline uint64_t index_mix(uint64_t value)
{
    value *= 0x9e3779b97f4a7c15ull;
    return value ^ (value >> 32);
}

#endif
