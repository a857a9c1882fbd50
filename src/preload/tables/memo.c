#include "memo.h"

#include "memo_branch.h"
#include "memo_cells.h"
#include "memo_near.h"
#include "memo_walk.h"
#include "site.h"
#include "preload/ground/arena.h"
#include "preload/unwind/unwind_walk.h"

#include <string.h>

/* `base_frame`: where the base node is from; NULL: it is 0, and no frame wants to know its node. */
static __attribute__((noinline)) struct path_entry *paths_follow_long(struct memo *memo,
                                                                      uint32_t count,
                                                                      struct memo_frame *base_frame)
{
    uint32_t nodes[BOX_DEPTH_MAX];
    struct stack_path path = {.count = count, .pcs = memo->pcs, .nodes = nodes};
    if (base_frame) {
        path.base = base_frame->node;
        for (const struct memo_frame *frame = memo->stack.frames + 1; frame <= base_frame; frame++)
            path.outer_hash = stack_hash(path.outer_hash, frame->pc);
    }
    struct path_entry *entry = path_intern_long(&memo->paths, &path);
    for (uint32_t i = 0; base_frame && entry->leaf.node != BOX_NONE && i < count; i++)
        base_frame[count - i].node = nodes[i];
    return entry;
}

/*
 * The entry of the leaf of `count` pcs, leaf first, inside `base`. With `leaf_frame`, their nodes
 * go there and into the frames before it. Groups are whole from the leaf on.
 */
static inline struct path_entry *paths_follow(struct memo *memo, uint32_t base, uint32_t count,
                                              struct memo_frame *leaf_frame)
{
    struct path_entry *entry;
    uint32_t at = (count - 1) / PATH_PCS * PATH_PCS;
    if (__builtin_expect(count >= PATH_LONG, 0))
        return paths_follow_long(memo, count, leaf_frame ? leaf_frame - count : NULL);
    memset(&memo->pcs[count], 0, (PATH_PCS - 1) * sizeof(memo->pcs[0]));
    for (;;) {
        entry = path_find(&memo->paths, base, &memo->pcs[at]);
        base = entry->leaf.node;
        if (base == BOX_NONE)
            return entry;
        if (leaf_frame) {
            struct memo_frame *frame = leaf_frame - at;
            frame->node = base;
            for (uint32_t i = 1; i < PATH_PCS && at + i < count; i++)
                frame[-(long)i].node = entry->nodes[i - 1];
        }
        if (at == 0)
            return entry;
        at -= PATH_PCS;
    }
}

/* The stack as unwind_capture() has it. What the memo knew stays true; the leaf's entry may be gone. */
static __attribute__((noinline)) struct memo_leaf *capture_whole(struct memo *memo,
                                                                 const struct unwind_start *start,
                                                                 uintptr_t stack_top)
{
    struct capture capture;
    unwind_capture(&capture, start, stack_top);
    if (capture.cut)
        arena_lost(&arena.header->lost.cut_stacks);
    if (capture.ended)
        arena_lost(&arena.header->lost.unwind_ends);
    memcpy(memo->pcs, capture.pcs, capture.depth * sizeof(capture.pcs[0]));
    struct memo_leaf *leaf = &paths_follow(memo, BOX_NONE, capture.depth, NULL)->leaf;
    if (capture.cut && leaf->site == BOX_NONE)
        leaf->site = site_of_node(leaf->node, BOX_KIND_MALLOC, true);
    return leaf;
}

/* From now on the leaf is the stack's last frame. */
static inline void memo_show(struct memo *memo, struct memo_stack *stack, struct memo_leaf *leaf)
{
    const struct memo_frame *frame = &stack->frames[stack->depth];
    memo->sp = frame->sp;
    memo->fp = frame->fp;
    memo->cells = memo_close(stack) | (frame->rule & MEMO_FP_LIVE);
    memo->stack_top = stack->stack_top;
    memo->leaf = leaf;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    /* What jumps about is seldom the same, and a root without a rule has no cells: both take the long way. */
    if (__builtin_expect(stack->zone == 0 && stack->ends[stack->depth] != 0, 1))
        memo->pc = (uintptr_t)frame->pc;
}

/* The stack is now `base` of its frames and the steps. NULL: it could not be kept. */
static inline struct memo_leaf *memo_keep(struct way *way, uint32_t base)
{
    struct memo_stack *stack = way->stack;
    struct memo_frame *frames = stack->frames;
    struct path_entry *entry;
    if (base + way->steps > BOX_DEPTH_MAX)
        return NULL;
    stack->depth = base;
    stack->stack_top = way->stack_top;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (!memo_push(way->memo, base, way->steps))
        return NULL;
    if (way->steps == 0) {
        way->memo->pcs[0] = frames[base].pc;
        entry = paths_follow(way->memo, frames[base - 1].node, 1, NULL);
    } else {
        entry = paths_follow(way->memo, frames[base].node, way->steps, &frames[base + way->steps]);
    }
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (entry->leaf.node == BOX_NONE)
        return &entry->leaf;
    stack->depth = base + way->steps;
    memo_show(way->memo, stack, &entry->leaf);
    return &entry->leaf;
}

struct memo_leaf *memo_capture_walked(struct memo *memo, const struct unwind_start *start,
                                      uintptr_t stack_top)
{
    struct memo_stack *stack = &memo->stack;
    memo->pc = 0; /* until all of it is there: a jump may leave at any point */
    stack->version += MEMO_VERSION_STEP;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    stack->frames[0].sp = UINTPTR_MAX;
    if (__builtin_expect(stack->stack_top != stack_top, 0))
        stack->depth = 0;
    struct way way = {.memo = memo,
                      .stack = stack,
                      .pc = start->pc,
                      .sp = start->sp,
                      .fp = start->fp,
                      .limit = walk_limit(start->sp, stack_top),
                      .stack_top = stack_top,
                      .at = stack->depth,
                      .trusted = true};
    enum way_end end = way_go(&way);
    struct memo_leaf *leaf = NULL;
    if (__builtin_expect(end != WAY_OTHER, 1))
        leaf = memo_keep(&way, end == WAY_MET ? way.at : 0);
    return leaf ? leaf : capture_whole(memo, start, stack_top);
}

void memo_leave(struct memo *memo)
{
    memo->pc = 0;
    memo->stack.version += MEMO_VERSION_STEP;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    memo->stack.depth = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    memo_branch_wipe(&memo->branches);
}

void memo_clear(struct memo *memo)
{
    memo_leave(memo);
    memo_branch_clear(&memo->branches);
    path_clear(&memo->paths);
}
