#include "site.h"

#include "history.h"
#include "index.h"
#include "mapping.h"
#include "stack.h"
#include "preload/ground/guard.h"
#include "preload/ground/spin.h"

static struct {
    struct spin intern; /* one writer of all interned tables; readers take no lock */
    struct index sites; /* by node, kind and class */
} state;

struct site_key {
    uint32_t node;
    enum box_kind kind;
    uint16_t flags; /* what of them belongs to the class decides, the rest is for a new one */
};

static struct box_site *site_at(uint32_t index)
{
    return arena_entry(BOX_SITES, index);
}

static bool site_equal(uint32_t item, const void *key)
{
    const struct site_key *wanted = key;
    const struct box_site *site = site_at(item);
    return site->node == wanted->node && site->kind == wanted->kind &&
           site->flags >> BOX_SITE_CLASS_AT == wanted->flags >> BOX_SITE_CLASS_AT;
}

static uint64_t site_hash(const struct site_key *key)
{
    uint64_t class = key->flags >> BOX_SITE_CLASS_AT;
    return index_mix(class << 33 | (uint64_t)key->node << 1 | key->kind);
}

/* Under the intern lock. */
static uint32_t site_add(const struct site_key *key)
{
    uint32_t index = arena_append(BOX_SITES, 1);
    if (index == BOX_NONE)
        return BOX_NONE;
    struct box_site *site = site_at(index);
    site->node = key->node;
    site->kind = (uint8_t)key->kind;
    site->flags = key->flags;
    arena_publish(BOX_SITES);
    /* when that fails it is made again: double, not wrong */
    index_add(&state.sites, site_hash(key), index);
    if (guard_process.asks_runtimes)
        guard_want(GUARD_WANT_ASK);
    return index;
}

static uint32_t site_find(const struct site_key *key)
{
    return index_find(&state.sites, site_hash(key), site_equal, key);
}

static uint32_t site_get(const struct site_key *key)
{
    if (key->node == BOX_NONE)
        return BOX_NONE;
    uint32_t site = site_find(key);
    if (site != BOX_NONE)
        return site;
    if (!site_lock_or_not())
        return BOX_NONE;
    site = site_find(key); /* another thread may have been first */
    if (site == BOX_NONE)
        site = site_add(key);
    spin_unlock(&state.intern);
    return site;
}

uint32_t site_of_node(uint32_t node, enum box_kind kind, bool cut)
{
    struct site_key key = {.node = node, .kind = kind, .flags = cut ? BOX_SITE_CUT : 0};
    return site_get(&key);
}

uint32_t site_sized(uint32_t site, uint64_t size_bytes)
{
    const struct box_site *whole = site_at(site);
    unsigned class = box_size_class(size_bytes) + 1;
    struct site_key key = {.node = whole->node,
                           .kind = (enum box_kind)whole->kind,
                           .flags = (uint16_t)(whole->flags | class << BOX_SITE_CLASS_AT)};
    return site_get(&key);
}

uint32_t site_intern(const struct capture *capture, enum box_kind kind)
{
    uint32_t node = stack_find_all(capture);
    if (node == BOX_NONE) {
        if (!site_lock_or_not())
            return BOX_NONE;
        node = stack_intern(capture);
        spin_unlock(&state.intern);
    }
    return site_of_node(node, kind, capture->cut);
}

/* Live now; frees are read first so that a free in between cannot make it negative. */
static void site_live(const struct box_site *site, uint64_t *objects, uint64_t *bytes)
{
    uint64_t free_objects = __atomic_load_n(&site->free_objects, __ATOMIC_ACQUIRE);
    uint64_t free_bytes = __atomic_load_n(&site->free_bytes, __ATOMIC_ACQUIRE);
    *objects = __atomic_load_n(&site->alloc_objects, __ATOMIC_RELAXED) - free_objects;
    *bytes = __atomic_load_n(&site->alloc_bytes, __ATOMIC_RELAXED) - free_bytes;
}

static uint64_t site_count(void)
{
    /* pairs: arena_publish() */
    return __atomic_load_n(&arena.header->tables[BOX_SITES].count, __ATOMIC_ACQUIRE);
}

int64_t site_live_bytes(void)
{
    uint64_t sum = 0, objects, bytes;
    for (uint32_t i = 1; i < site_count(); i++) {
        site_live(site_at(i), &objects, &bytes);
        sum += bytes;
    }
    return (int64_t)sum;
}

void site_mark(void)
{
    for (uint32_t i = 1; i < site_count(); i++) {
        struct box_site *site = site_at(i);
        struct box_history *history = history_at(i);
        uint64_t objects, bytes;
        site_live(site, &objects, &bytes);
        if (history) { /* nobody counts meanwhile: this is what `objects` was made of */
            history->alloc_objects = __atomic_load_n(&site->alloc_objects, __ATOMIC_RELAXED);
            history->alloc_bytes = __atomic_load_n(&site->alloc_bytes, __ATOMIC_RELAXED);
        }
        __atomic_store_n(&site->collected_objects, objects, __ATOMIC_RELAXED);
        __atomic_store_n(&site->collected_bytes, bytes, __ATOMIC_RELAXED);
    }
}

void site_reset(void)
{
    for (uint32_t i = 1; i < arena.tables[BOX_SITES].count; i++) {
        struct box_site *site = site_at(i);
        site->alloc_objects = site->alloc_bytes = 0;
        site->free_objects = site->free_bytes = 0;
    }
}

void site_sweep(void)
{
    uint32_t survey = mapping_survey();
    spin_lock(&state.intern);
    if (mapping_sweep(survey))
        stack_sweep();
    spin_unlock(&state.intern);
}

void site_lock(void)
{
    spin_lock(&state.intern);
}

bool site_lock_or_not(void)
{
    return spin_lock_or_not(&state.intern) != SPIN_NOT;
}

void site_unlock(void)
{
    spin_unlock(&state.intern);
}

void site_unlock_child(void)
{
    spin_reset(&state.intern);
}

void site_escape(void)
{
    spin_escape(&state.intern);
}

void site_inherit(uint32_t holder)
{
    if (spin_inherit(&state.intern, holder))
        spin_unlock(&state.intern);
}

uint64_t site_own_bytes(void)
{
    return index_own_bytes(&state.sites) + stack_own_bytes();
}
