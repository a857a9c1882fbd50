/* Compiled with TREE_FAMILY, the name of the table, and TREE_BARE, 1 without frame pointers. */
#include "memo_tree.h"

#include <alloca.h>

#define KEEP(pointer) __asm__ volatile("" : : "r"(pointer) : "memory")
#define SHAPE         static __attribute__((noinline)) void

#if TREE_BARE && defined(__x86_64__)
#define SPOIL_FP(number) __asm__ volatile("mov %0, %%rbp" : : "r"((uint64_t)(number)) : "rbp")
#else
#define SPOIL_FP(number) KEEP(&(number))
#endif

/* Visits and calls from different places, at random, and returns in the end. */
#define BODY(tree, depth)                                               \
    do {                                                                \
        for (uint32_t turn = 0; turn < 4 && (tree)->left > 0; turn++) { \
            uint32_t what = tree_random(tree, 8);                       \
            if (what == 0 || (depth) >= (tree)->depth_max)              \
                tree_visit(tree);                                       \
            else if (what == 1)                                         \
                tree_visit(tree);                                       \
            else if (what < 4)                                          \
                tree_choose(tree)(tree, (depth) + 1);                   \
            else if (what < 6)                                          \
                tree_choose(tree)(tree, (depth) + 1);                   \
            else if (what == 6)                                         \
                return;                                                 \
        }                                                               \
        KEEP(tree);                                                     \
    } while (0)

SHAPE shape_plain(struct tree *tree, uint32_t depth)
{
    BODY(tree, depth);
}

SHAPE shape_spoil(struct tree *tree, uint32_t depth)
{
    uint64_t number = tree_random(tree, 3);
    SPOIL_FP(number);
    BODY(tree, depth);
}

SHAPE shape_array(struct tree *tree, uint32_t depth)
{
    char bytes[200];
    KEEP(bytes);
    BODY(tree, depth);
    KEEP(bytes);
}

/* Sizes that often make up for each other. */
SHAPE shape_alloca(struct tree *tree, uint32_t depth)
{
    char *bytes = alloca(16 + 16 * tree_random(tree, 3));
    KEEP(bytes);
    BODY(tree, depth);
    KEEP(bytes);
}

SHAPE shape_aligned(struct tree *tree, uint32_t depth)
{
    _Alignas(64) char bytes[64];
    KEEP(bytes);
    BODY(tree, depth);
    KEEP(bytes);
}

SHAPE shape_realigned(struct tree *tree, uint32_t depth)
{
    _Alignas(64) char bytes[64];
    char *more = alloca(16 + 16 * tree_random(tree, 3));
    KEEP(bytes);
    KEEP(more);
    BODY(tree, depth);
    KEEP(bytes);
}

SHAPE shape_registers(struct tree *tree, uint32_t depth)
{
    uintptr_t a = depth, b = depth * 3, c = depth * 5, d = depth * 7, e = depth * 9;
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e));
    BODY(tree, depth);
    __asm__ volatile("" : : "r"(a), "r"(b), "r"(c), "r"(d), "r"(e));
}

/* Needs no register after its call: an optimized frame leaves its caller's as they are. */
SHAPE shape_thin(struct tree *tree, uint32_t depth)
{
    if (depth < tree->depth_max)
        tree_choose(tree)(tree, depth + 1);
    else
        tree_visit(tree);
    __asm__ volatile("" : : : "memory");
}

/* The loop changes the frame under its callees. */
SHAPE shape_growing(struct tree *tree, uint32_t depth)
{
    for (uint32_t i = 0; i < 2 && tree->left > 0; i++) {
        char *bytes = alloca(16);
        KEEP(bytes);
        if (tree_random(tree, 2) == 0)
            tree_visit(tree);
        else if (depth < tree->depth_max)
            tree_choose(tree)(tree, depth + 1);
        KEEP(bytes);
    }
}

tree_fn *const TREE_FAMILY[TREE_SHAPES] = {
    shape_plain,     shape_spoil,     shape_array,   shape_alloca, shape_aligned,
    shape_realigned, shape_registers, shape_growing, shape_thin,   shape_thin};
