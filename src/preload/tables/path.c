#include "path.h"

#include "site.h"
#include "stack.h"
#include "preload/ground/sys.h"

#include <string.h>

enum {
    PATH_BITS_FIRST = 7, /* 8 KiB: a thread that does little should cost little */
    PATH_BITS_MAX = 14,  /* 1 MiB: a compiler keeps as many paths in turn */
    PATH_BITS_GROWTH = 2
};

static uint64_t own_bytes; /* atomic, relaxed */

static uint32_t path_bits(const struct path_cache *cache)
{
    return 64 - cache->shift;
}

static size_t path_bytes(uint32_t bits)
{
    return sizeof(struct path_entry) << bits;
}

static struct path_entry *path_slot(const struct path_cache *cache, uint32_t base,
                                    const uint64_t pcs[PATH_PCS])
{
    return &cache->entries[path_hash(base, pcs) >> cache->shift];
}

static struct path_entry *path_map(uint32_t bits)
{
    size_t bytes = path_bytes(bits);
    struct path_entry *entries =
        bits > PATH_BITS_FIRST ? sys_pages_present(bytes) : sys_pages(bytes);
    if (entries)
        __atomic_fetch_add(&own_bytes, bytes, __ATOMIC_RELAXED);
    return entries;
}

static void path_unmap(struct path_entry *entries, uint32_t bits)
{
    sys_pages_free(entries, path_bytes(bits));
    __atomic_fetch_sub(&own_bytes, path_bytes(bits), __ATOMIC_RELAXED);
}

/* A jump may leave at any point: the table is there before it is in use, and is not once it is free. */
static void path_use(struct path_cache *cache, struct path_entry *entries, uint32_t bits)
{
    cache->entries = NULL;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    cache->shift = 64 - bits;
    cache->evictions = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    cache->entries = entries;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void path_grow(struct path_cache *cache)
{
    struct path_entry *old = cache->entries;
    uint32_t old_bits = path_bits(cache), bits = old_bits + PATH_BITS_GROWTH;
    if (!old)
        bits = PATH_BITS_FIRST;
    bits = bits < PATH_BITS_MAX ? bits : PATH_BITS_MAX;
    struct path_entry *fresh = path_map(bits);
    if (!fresh) {
        cache->evictions = 0; /* tried again after as many */
        return;
    }
    path_use(cache, fresh, bits);
    if (!old)
        return;
    for (uint32_t i = 0; i < 1u << old_bits; i++)
        if (old[i].leaf.node != 0)
            *path_slot(cache, old[i].base, old[i].pcs) = old[i];
    path_unmap(old, old_bits);
}

/* On the way from an entry's base to its leaf. */
struct path_climb {
    struct path_entry *entry;
    uint32_t left; /* frames to go */
    uint32_t node; /* that it is at */
};

/* Sets the entry's nodes, by `step`; stays in front of one that it does not have, which is false. */
static bool path_climb(struct path_climb *climb, uint32_t (*step)(uint32_t parent, uint64_t pc))
{
    struct path_entry *entry = climb->entry;
    for (; climb->left > 0; climb->left--) {
        uint64_t pc = entry->pcs[climb->left - 1];
        uint32_t node = pc != 0 ? step(climb->node, pc) : climb->node;
        if (pc != 0 && node == 0)
            return false;
        climb->node = node;
        if (climb->left > 1)
            entry->nodes[climb->left - 2] = node;
    }
    entry->leaf.node = climb->node;
    return true;
}

/* The entry to be, complete but for its place. */
static void path_resolve(struct path_entry *entry)
{
    struct path_climb climb = {entry, PATH_PCS, entry->base};
    if (path_climb(&climb, stack_find))
        return;
    if (!site_lock_or_not())
        return;
    path_climb(&climb, stack_add);
    site_unlock();
}

/* A jump may leave at any point: the entry is free until all of it is there. */
static void path_put(struct path_entry *slot, const struct path_entry *entry)
{
    slot->leaf.node = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    memcpy(slot, entry, offsetof(struct path_entry, leaf));
    slot->leaf.site = 0;
    slot->leaf.last = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    slot->leaf.node = entry->leaf.node;
}

static struct path_entry *path_claim(struct path_cache *cache, uint32_t base,
                                     const uint64_t pcs[PATH_PCS])
{
    uint32_t bits = path_bits(cache);
    if (!cache->entries || (cache->evictions >> (bits - 1) != 0 && bits < PATH_BITS_MAX))
        path_grow(cache);
    return cache->entries ? path_slot(cache, base, pcs) : &cache->only;
}

static struct path_entry *path_keep(struct path_cache *cache, struct path_entry *slot,
                                    const struct path_entry *entry)
{
    if (entry->leaf.node == 0)
        slot = &cache->only;
    cache->evictions += slot->leaf.node != 0;
    path_put(slot, entry);
    return slot;
}

struct path_entry *path_intern(struct path_cache *cache, uint32_t base,
                               const uint64_t pcs[PATH_PCS])
{
    struct path_entry entry = {.base = base};
    memcpy(entry.pcs, pcs, sizeof(entry.pcs));
    struct path_entry *slot = path_claim(cache, base, pcs);
    if (path_is(slot, base, pcs))
        return slot;
    path_resolve(&entry);
    return path_keep(cache, slot, &entry);
}

static bool path_resolve_long(const struct stack_path *path)
{
    if (stack_find_path(path))
        return true;
    if (!site_lock_or_not())
        return false;
    bool added = stack_add_path(path);
    site_unlock();
    return added;
}

struct path_entry *path_intern_long(struct path_cache *cache, const struct stack_path *path)
{
    struct path_entry entry = {0};
    if (!path_resolve_long(path))
        return path_keep(cache, &cache->only, &entry);
    entry.base = path->nodes[PATH_PCS];
    struct path_entry *slot = path_claim(cache, entry.base, path->pcs);
    if (path_is(slot, entry.base, path->pcs))
        return slot;
    memcpy(entry.pcs, path->pcs, sizeof(entry.pcs));
    memcpy(entry.nodes, path->nodes + 1, sizeof(entry.nodes));
    entry.leaf.node = path->nodes[0];
    return path_keep(cache, slot, &entry);
}

void path_clear(struct path_cache *cache)
{
    struct path_entry *entries = cache->entries;
    uint32_t bits = path_bits(cache);
    path_use(cache, NULL, 0);
    cache->only.leaf.node = 0;
    if (entries)
        path_unmap(entries, bits);
}

void path_trim(struct path_cache *cache)
{
    if (cache->entries && path_bits(cache) > PATH_BITS_FIRST)
        path_clear(cache);
}

uint64_t path_own_bytes(void)
{
    return __atomic_load_n(&own_bytes, __ATOMIC_RELAXED);
}
