/*
 * memo_tree.h - random walks through trees of calls.
 *
 * What it is: functions of every shape that call each other, and a visitor, from several places each, as
 *   a generator of random numbers has it. Compiled three times: without frame pointers, with them, and
 *   without optimization. The optimized ones without a frame pointer put a number of their own into its
 *   register.
 * Owns: nothing.
 * Context: unit tests; any thread, any stack.
 * Not here: what is done at a visit.
 */
#ifndef HEAPDIFF_TEST_MEMO_TREE_H
#define HEAPDIFF_TEST_MEMO_TREE_H

#include <stdint.h>

struct tree {
    uint64_t random;
    uint32_t depth_max;
    uint32_t left; /* visits until all return: trees grow without bounds */
    void (*visit)(void *context);
    void *context;
};

typedef void tree_fn(struct tree *tree, uint32_t depth);

enum { TREE_SHAPES = 10 };
extern tree_fn *const tree_bare[TREE_SHAPES];   /* -O2 -fomit-frame-pointer */
extern tree_fn *const tree_framed[TREE_SHAPES]; /* -O2 -fno-omit-frame-pointer */
extern tree_fn *const tree_simple[TREE_SHAPES]; /* -O0 */

static inline uint32_t tree_random(struct tree *tree, uint32_t below)
{
    tree->random = tree->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(tree->random >> 33) % below;
}

static inline void tree_visit(struct tree *tree)
{
    tree->left -= tree->left > 0;
    tree->visit(tree->context);
}

/* One of all. */
static inline tree_fn *tree_choose(struct tree *tree)
{
    tree_fn *const *const families[] = {tree_bare, tree_framed, tree_simple};
    uint32_t at = tree_random(tree, 3 * TREE_SHAPES);
    return families[at / TREE_SHAPES][at % TREE_SHAPES];
}

/* A tree of random size, no deeper than `depth`. */
static inline void tree_grow(struct tree *tree, uint32_t depth)
{
    tree->depth_max = 1 + tree_random(tree, depth);
    tree->left = 1 + tree_random(tree, 400);
    tree_choose(tree)(tree, 0);
}

#endif
