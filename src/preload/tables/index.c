#include "index.h"

#include "preload/ground/permit.h"
#include "preload/ground/sys.h"

#include <sys/mman.h>

enum {
    INDEX_BITS_FIRST = 9,
    INDEX_BITS_MAX = 31,
    INDEX_HEAD_BYTES = 4096 /* of slots that were replaced: what says how many there are stays */
};

static size_t slots_bytes(uint32_t bits)
{
    return sizeof(struct index_slots) + (sizeof(uint64_t) << bits);
}

static void slots_put(struct index_slots *slots, uint64_t slot)
{
    uint32_t mask = (uint32_t)((1ull << slots->bits) - 1);
    uint32_t at = index_slot((uint32_t)(slot >> 32), slots->bits);
    while (slots->slot[at] != 0)
        at = (at + 1) & mask;
    /* pairs: index_find() */
    __atomic_store_n(&slots->slot[at], slot, __ATOMIC_RELEASE);
}

/* Readers may be in them: they find nothing, and see then that there are others. */
static void slots_empty(struct index *index, struct index_slots *slots)
{
    size_t bytes = slots_bytes(slots->bits);
    if (bytes <= 2 * INDEX_HEAD_BYTES || !permit_has(PERMIT_ADVICE))
        return;
    sys_advise((char *)slots + INDEX_HEAD_BYTES, bytes - INDEX_HEAD_BYTES, MADV_DONTNEED);
    __atomic_fetch_sub(&index->own_bytes, bytes - INDEX_HEAD_BYTES, __ATOMIC_RELAXED);
}

static bool index_grow(struct index *index)
{
    struct index_slots *old = index->slots;
    uint32_t bits = old ? old->bits + 1 : INDEX_BITS_FIRST;
    struct index_slots *fresh =
        bits <= INDEX_BITS_MAX ? sys_pages_present(slots_bytes(bits)) : NULL;
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
    if (old)
        slots_empty(index, old);
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
