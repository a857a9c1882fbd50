/*
 * path.h - from a node and the few frames that are new since, to what is known of the leaf.
 *
 * What it is: a cache over the trie of stack.h. A path is a base node and the one to four return
 *   addresses inside it; an entry keeps the nodes on the way and the leaf's record. The hash only
 *   chooses the entry, all of it is compared. What is not in the cache is looked up in the trie, and
 *   added there.
 * Owns: the entries. Each cache is its thread's.
 * Context: hooks, in the recording part, on that thread. New nodes take the intern lock (site.h). A jump
 *   out of it leaves the cache valid.
 * Not here: which frames are new (memo.h).
 */
#ifndef HEAPDIFF_PRELOAD_PATH_H
#define HEAPDIFF_PRELOAD_PATH_H

#include "stack.h"

#include <stdbool.h>
#include <stdint.h>

/* What is known of a stack's leaf. The caller of memo_capture() fills in what is still 0. */
struct memo_leaf {
    uint32_t node; /* in BOX_NODES; 0: the tables are full */
    uint32_t site; /* of kind malloc */
    uint64_t
        last; /* the lot of the size last asked for here, and that size below 32 bits; 0: none */
};

static inline uint32_t memo_leaf_lot(uint64_t last)
{
    return (uint32_t)(last >> 32);
}

static inline uint64_t memo_leaf_last(uint32_t lot, uint32_t size_bytes)
{
    return (uint64_t)lot << 32 | size_bytes;
}

enum { PATH_PCS = 4 };

/* leaf.node 0: a free entry. One cache line. */
struct path_entry {
    uint64_t pcs[PATH_PCS];       /* leaf first, as captured; 0: fewer */
    uint32_t base;                /* 0: the stack's root is in pcs */
    uint32_t nodes[PATH_PCS - 1]; /* of pcs[1] and on */
    struct memo_leaf leaf;        /* of pcs[0] */
};

struct path_cache {
    struct path_entry *entries;
    uint32_t shift;         /* 64 - log2 of the number of entries */
    uint32_t evictions;     /* since it grew */
    struct path_entry only; /* in place of a table when there is no memory; node 0 stays in it */
};

enum { PATH_LONG = 2 * PATH_PCS }; /* frames of path_intern_long(), or more */

/* The entry for the leaf of `path`, whose nodes are filled in, unless leaf.node is 0. */
struct path_entry *path_intern_long(struct path_cache *cache, const struct stack_path *path);

/*
 * The entry for `pcs` inside `base`, which is valid until the next call. Never NULL: leaf.node is 0
 * when the tables are full.
 */
struct path_entry *path_intern(struct path_cache *cache, uint32_t base,
                               const uint64_t pcs[PATH_PCS]);

/* Forgets all paths; the memory goes back. */
void path_clear(struct path_cache *cache);

/* The same, unless the cache is as small as it begins: for who is to take it over. */
void path_trim(struct path_cache *cache);

/* Bytes of all caches. Any thread. */
uint64_t path_own_bytes(void);

static inline uint64_t path_hash(uint32_t base, const uint64_t pcs[PATH_PCS])
{
    return base * 0x9e3779b97f4a7c15ull + pcs[0] * 0xd6e8feb86659fd93ull +
           pcs[1] * 0xa0761d6478bd642full + pcs[2] * 0xe7037ed1a0b428dbull +
           pcs[3] * 0x8ebc6af09c88c6e3ull;
}

static inline bool path_is(const struct path_entry *entry, uint32_t base,
                           const uint64_t pcs[PATH_PCS])
{
    return ((entry->pcs[0] ^ pcs[0]) | (entry->pcs[1] ^ pcs[1]) | (entry->pcs[2] ^ pcs[2]) |
            (entry->pcs[3] ^ pcs[3]) | (entry->base ^ base)) == 0 &&
           entry->leaf.node != 0;
}

/* path_intern(), when it is in the cache without further ado. */
static inline struct path_entry *path_find(struct path_cache *cache, uint32_t base,
                                           const uint64_t pcs[PATH_PCS])
{
    if (__builtin_expect(cache->entries != 0, 1)) {
        struct path_entry *entry = &cache->entries[path_hash(base, pcs) >> cache->shift];
        if (__builtin_expect(path_is(entry, base, pcs), 1))
            return entry;
    }
    return path_intern(cache, base, pcs);
}

#endif
