#include "lot.h"

#include "index.h"
#include "site.h"

static struct {
    struct index lots; /* by site and size; written under the intern lock */
    uint32_t spare;    /* an entry that could not be put into the index; under the intern lock */
} state;

static bool lot_equal(uint32_t item, const void *key)
{
    const struct box_lot *lot = lot_at(item), *wanted = key;
    return lot->site == wanted->site && lot->size_bytes == wanted->size_bytes;
}

/* Under the intern lock. */
static uint32_t lot_append(void)
{
    if (state.spare != BOX_NONE)
        return state.spare;
    return arena.tables[BOX_LOTS].count <= LOT_MAX ? arena_append(BOX_LOTS, 1) : BOX_NONE;
}

/* Under the intern lock. */
static uint32_t lot_add(const struct box_lot *wanted, uint64_t hash)
{
    struct box_site *site = arena_entry(BOX_SITES, wanted->site);
    bool large = wanted->size_bytes >= LOT_SMALL_BYTES;
    if (large && site->large_lots >= LOT_LARGE_MAX)
        return BOX_NONE;
    uint32_t index = lot_append();
    if (index == BOX_NONE)
        return BOX_NONE;
    *(struct box_lot *)arena_entry(BOX_LOTS, index) = *wanted;
    arena_publish(BOX_LOTS);
    /* Unlike a site, a lot is asked for by every event: one that cannot be found would be made anew by
       each of them. */
    bool kept = index_add(&state.lots, hash, index);
    state.spare = kept ? BOX_NONE : index;
    if (kept && large)
        site->large_lots++;
    return kept ? index : BOX_NONE;
}

uint32_t lot_intern(uint32_t site, uint64_t size_bytes)
{
    struct box_lot wanted = {site, (uint32_t)size_bytes};
    uint64_t hash = index_mix((uint64_t)site << 32 | wanted.size_bytes);
    if (site == BOX_NONE || size_bytes > UINT32_MAX)
        return BOX_NONE;
    uint32_t lot = index_find(&state.lots, hash, lot_equal, &wanted);
    if (lot != BOX_NONE)
        return lot;
    if (!site_lock_or_not())
        return BOX_NONE;
    lot =
        index_find(&state.lots, hash, lot_equal, &wanted); /* another thread may have been first */
    if (lot == BOX_NONE)
        lot = lot_add(&wanted, hash);
    site_unlock();
    return lot;
}

void lot_keep(struct lot_cache *cache, uint32_t site, uint64_t size_bytes, uint32_t lot)
{
    struct lot_cached *slot = lot_slot(cache, site, size_bytes);
    slot->site = BOX_NONE; /* a jump may leave at any point: never a lot of another site or size */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    slot->size_bytes = (uint32_t)size_bytes;
    slot->lot = lot;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    slot->site = site;
}

uint64_t lot_own_bytes(void)
{
    return index_own_bytes(&state.lots);
}
