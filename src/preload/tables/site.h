/*
 * site.h - allocation sites and their counters.
 *
 * What it is: a site is a stack and a kind (malloc or mmap), and in a sampled run a class of sizes;
 *   BOX_SITES holds its counters, which only grow. Found by the stack's node.
 * Owns: BOX_SITES, their index, and the intern lock (which also covers stacks and mappings).
 * Context: hooks, with the guard held. A found site costs no lock.
 * Not here: capturing (unwind.h); which block is whose (block.h, range.h).
 */
#ifndef HEAPDIFF_PRELOAD_SITE_H
#define HEAPDIFF_PRELOAD_SITE_H

#include "preload/ground/arena.h"
#include "preload/unwind/unwind.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The site of the stack that `node` is the leaf of, and of this kind, made if new. `cut`: its root side
 * is missing. 0 when a table is full, or for node 0.
 */
uint32_t site_of_node(uint32_t node, enum box_kind kind, bool cut);

/* Of a sampled run: the part of `site`, one of site_of_node(), that counts objects of about this size. Made if new;
   0 when a table is full. */
uint32_t site_sized(uint32_t site, uint64_t size_bytes);

/* The same as site_of_node() for a captured stack, which is interned if new. */
uint32_t site_intern(const struct capture *capture, enum box_kind kind);

/* Objects and requested bytes that came to, or went from, a site. Relaxed: sums matter, not order. */
static inline void site_count_alloc(uint32_t site, uint64_t objects, uint64_t bytes)
{
    struct box_site *counters = arena_entry(BOX_SITES, site);
    __atomic_fetch_add(&counters->alloc_bytes, bytes, __ATOMIC_RELAXED);
    __atomic_fetch_add(&counters->alloc_objects, objects, __ATOMIC_RELAXED);
}

static inline void site_count_free(uint32_t site, uint64_t objects, uint64_t bytes)
{
    struct box_site *counters = arena_entry(BOX_SITES, site);
    __atomic_fetch_add(&counters->free_bytes, bytes, __ATOMIC_RELAXED);
    __atomic_fetch_add(&counters->free_objects, objects, __ATOMIC_RELAXED);
}

/* Live bytes of all sites, now, but for what is still in deltas: may be negative. */
int64_t site_live_bytes(void);

/* A collection has finished: live of every site becomes its collected, what it has counted goes to its history. The gate is closed; delta_mark()
   adds what sites do not know yet. */
void site_mark(void);

/* A forked child starts from zero; it then counts what it inherited. */
void site_reset(void);

/* Libraries were unloaded: their stacks stop matching. */
void site_sweep(void);

/* fork: holds the intern lock across it. Child: frees it, whoever held it. */
void site_lock(void);
/* False: it is not to be had, as spin_lock_or_not() says; what is not in a table stays out. */
bool site_lock_or_not(void);
void site_unlock(void);
void site_unlock_child(void);

/* This thread left a change of the tables by a jump: what it had begun is in nobody's way. */
void site_escape(void);
/* The same for one that has ended: what spin_self() was in it. */
void site_inherit(uint32_t holder);

uint64_t site_own_bytes(void);

#endif
