/*
 * stack.h - stacks as paths in a trie.
 *
 * What it is: return addresses interned in BOX_PCS, stacks as leaf nodes of BOX_NODES; equal prefixes
 *   (towards the root) share their nodes.
 * Owns: BOX_PCS, BOX_NODES and their indexes.
 * Context: hooks. Adding under the intern lock (site.h has it); finding and comparing anywhere, no lock.
 * Not here: walking the machine's stack (unwind.h); what was allocated there (site.h).
 */
#ifndef HEAPDIFF_PRELOAD_STACK_H
#define HEAPDIFF_PRELOAD_STACK_H

#include "preload/unwind/unwind.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The node of `captured`, an address as unwind.h gives it, called from `parent` (0: the root).
 * find: 0 when there is none. add, under the intern lock: made if new; 0 when a table is full.
 */
uint32_t stack_find(uint32_t parent, uint64_t captured);
uint32_t stack_add(uint32_t parent, uint64_t captured);

/* Many frames at once. */
struct stack_path {
    uint64_t outer_hash; /* stack_hash() of all frames farther out, outermost first; 0: none */
    uint32_t base;       /* the node of those; 0: none */
    uint32_t count;
    const uint64_t *pcs; /* leaf first */
    uint32_t *nodes;     /* their nodes are left here; anything, where there are none */
};

/* Not by turning the bits: what recurs after as many frames as they take to come round would cancel itself out. */
static inline uint64_t stack_hash(uint64_t outer_hash, uint64_t captured)
{
    return 5 * outer_hash ^ captured * 0x9e3779b97f4a7c15u;
}

/*
 * The nodes of `path`. find: by one look into an index of the leaves that add has added; false when it
 * is none of them. add, under the intern lock: false when a table is full.
 */
bool stack_find_path(const struct stack_path *path);
bool stack_add_path(const struct stack_path *path);

/* The same for whole stacks: their leaf node. 0 also for an empty stack. */
uint32_t stack_find_all(const struct capture *capture);
uint32_t stack_intern(const struct capture *capture);

/* Whether `node` is the leaf of exactly this stack, in code that is still loaded. */
bool stack_equal(uint32_t node, const struct capture *capture);

/* The stack that `node` is the leaf of, as far as a capture has room. */
void stack_read(uint32_t node, struct capture *capture);

/* After a library was unloaded: its addresses no longer match any stack. Under the intern lock. */
void stack_sweep(void);

uint64_t stack_own_bytes(void);

#endif
