#include "index.h"

#include "sys.h"

struct index_slots {
    uint32_t bits; /* log2 of the number of slots */
    uint32_t padding;
    uint64_t slot[]; /* {upper 32 bits of the hash, item}; 0: free */
};

enum { INDEX_BITS_FIRST = 9, INDEX_BITS_MAX = 31 };

/* Slots are chosen by the hash's top bits, which the slot keeps: growing needs no keys. */
static uint32_t slot_of(uint32_t tag, uint32_t bits)
{
    return tag >> (32 - bits);
}

static size_t slots_bytes(uint32_t bits)
{
    return sizeof(struct index_slots) + (sizeof(uint64_t) << bits);
}

uint32_t index_find(const struct index *index, uint64_t hash, index_equal_fn equal, const void *key)
{
    /* pairs: index_grow() */
    const struct index_slots *slots = __atomic_load_n(&index->slots, __ATOMIC_ACQUIRE);
    if (!slots)
        return 0;
    uint32_t tag = (uint32_t)(hash >> 32), mask = (uint32_t)((1ull << slots->bits) - 1);
    for (uint32_t at = slot_of(tag, slots->bits);; at = (at + 1) & mask) {
        /* pairs: slots_put() */
        uint64_t slot = __atomic_load_n(&slots->slot[at], __ATOMIC_ACQUIRE);
        if (slot == 0)
            return 0;
        if ((uint32_t)(slot >> 32) == tag && equal((uint32_t)slot, key))
            return (uint32_t)slot;
    }
}

static void slots_put(struct index_slots *slots, uint64_t slot)
{
    uint32_t mask = (uint32_t)((1ull << slots->bits) - 1);
    uint32_t at = slot_of((uint32_t)(slot >> 32), slots->bits);
    while (slots->slot[at] != 0)
        at = (at + 1) & mask;
    /* pairs: index_find() */
    __atomic_store_n(&slots->slot[at], slot, __ATOMIC_RELEASE);
}

static bool index_grow(struct index *index)
{
    struct index_slots *old = index->slots;
    uint32_t bits = old ? old->bits + 1 : INDEX_BITS_FIRST;
    struct index_slots *fresh = bits <= INDEX_BITS_MAX ? sys_pages(slots_bytes(bits)) : NULL;
    if (!fresh)
        return false;
    fresh->bits = bits;
    for (uint64_t i = 0; old && i < 1ull << old->bits; i++)
        if (old->slot[i] != 0)
            slots_put(fresh, old->slot[i]);
    /* pairs: index_own_bytes() */
    __atomic_fetch_add(&index->own_bytes, slots_bytes(bits), __ATOMIC_RELAXED);
    /* pairs: index_find() */
    __atomic_store_n(&index->slots, fresh, __ATOMIC_RELEASE);
    return true;
}

bool index_add(struct index *index, uint64_t hash, uint32_t item)
{
    /* Half full at most; past a failed growth, up to 7/8. */
    if (!index->slots || index->count >= 1ull << (index->slots->bits - 1))
        if (!index_grow(index) &&
            (!index->slots || index->count >= (1ull << index->slots->bits) / 8 * 7))
            return false;
    slots_put(index->slots, (hash & 0xffffffff00000000ull) | item);
    index->count++;
    return true;
}
