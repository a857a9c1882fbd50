#include "memo_near.h"

#include "memo_branch.h"
#include "preload/unwind/row.h"
#include "preload/unwind/unwind_arch.h"
#include "preload/unwind/unwind_walk.h"

enum {
    NEAR_FRAMES = PATH_LONG - 1, /* longer paths are not in the cache group by group */
    NEAR_REPEATS = 3 /* so often the same frame is the first beyond the memo: it will be again */
};

/* A walk by plain steps; see memo_walk.h for what the members mean. Without an array in it, it lives in
   registers. */
struct near {
    uintptr_t pc;
    uintptr_t sp;
    uintptr_t fp;
    uintptr_t inner_sp;             /* of the last frame left */
    const struct memo_frame *frame; /* of the memo: none farther in can be met any more */
    uint32_t count; /* of frames left; their pcs are in an array beside this, leaf first; then 0 */
};

/* Where the frame's caller begins by a rule that uses fp; 0 when the step is not a plain one. */
static inline uintptr_t near_cfa_by_fp(const struct near *near, uint64_t word)
{
    uintptr_t cfa = near->fp + (word & ROW_CFA_BYTES);
    return word & ROW_WIDE || cfa - near->sp - 8 >= WALK_JUMP_MAX || cfa % 8 != 0 ? 0 : cfa;
}

/*
 * A step as unwind_capture() takes it; false when that would not be plain. All that lies between sp and
 * the stack's top is there, so that a rule by sp need not be asked how far it goes.
 */
static inline bool near_step(struct near *near, uint64_t pcs[PATH_LONG],
                             const struct row_table *table, uintptr_t stack_top)
{
    uint64_t word = row_lookup(table, near->pc);
    uintptr_t cfa = near->sp + (word & ROW_CFA_BYTES);
    if (__builtin_expect(word & (ROW_WIDE | ROW_BASE_FP), 0))
        cfa = near_cfa_by_fp(near, word);
    if (__builtin_expect(cfa - near->sp - 8 >= stack_top - near->sp || near->count == NEAR_FRAMES,
                         0))
        return false;
    const uintptr_t *cells = (const uintptr_t *)cfa;
    unsigned fp_slot = word >> ROW_FP_SHIFT & ROW_FP_SLOT_MAX;
    uintptr_t back = arch_strip(cells[-(long)arch_return_slot(fp_slot)]);
    if (__builtin_expect(back == 0, 0))
        return false;
    if (fp_slot != 0)
        near->fp = cells[-(long)fp_slot];
    pcs[near->count++] = near->pc;
    near->inner_sp = near->sp;
    near->sp = cfa;
    near->pc = back;
    return true;
}

/*
 * The walk is at frame `from` of the memo, and up to frame `to` all is as it was: nothing need be looked
 * up on the way there but fp, where nobody has looked as it was not live.
 */
static inline void near_skip(struct near *near, uint64_t pcs[PATH_LONG],
                             const struct memo_frame *from, const struct memo_frame *to)
{
    for (; from > to && near->count < NEAR_FRAMES && !(from->rule & MEMO_CAREFUL); from--) {
        uint32_t fp_slot = from->rule >> ROW_FP_SHIFT & ROW_FP_SLOT_MAX;
        if (fp_slot != 0)
            near->fp = ((const uintptr_t *)from[-1].sp)[-(long)fp_slot];
        pcs[near->count++] = near->pc;
        near->inner_sp = near->sp;
        near->sp = from[-1].sp;
        near->pc = from[-1].pc;
    }
}

/*
 * Whether the walk has met the memo: it is at a frame in the state it was in, and nothing farther out
 * has changed. Where something has, the walk goes to the frame whose step reads that, and it is beyond
 * that that the two may meet again.
 */
static inline bool near_met(struct near *near, uint64_t pcs[PATH_LONG],
                            const struct memo_stack *stack)
{
    const struct memo_frame *frame = near->frame;
    while (frame->sp < near->sp)
        frame--;
    near->frame = frame;
    if (frame->sp != near->sp || frame->pc != near->pc ||
        (frame->fp != near->fp && frame->rule & MEMO_FP_LIVE) || frame->rule & MEMO_GUESSED)
        return false;
    const uint16_t *end = &stack->ends[frame - stack->frames];
    uint32_t cell = memo_differs(stack, *end);
    if (__builtin_expect(cell == MEMO_CELLS, 1))
        return true;
    while (cell < end[-1])
        end--;
    const struct memo_frame *changed = &stack->frames[end - stack->ends];
    near_skip(near, pcs, frame, changed);
    near->frame = changed - 1;
    return false;
}

/* True when the first frame beyond the memo is the same for the NEAR_REPEATS-th time. */
static inline bool near_stays(struct memo *memo, const struct near *near, uintptr_t first_pc)
{
    if (first_pc != memo->near_pc || near->inner_sp != memo->near_sp) {
        memo->near_pc = first_pc;
        memo->near_sp = near->inner_sp;
        memo->near_repeats = 0;
        return false;
    }
    return ++memo->near_repeats >= NEAR_REPEATS;
}

/* A path that is not in the cache. What it pushes out may be the last stack's: that is forgotten then. */
static __attribute__((noinline)) struct path_entry *near_learn(struct memo *memo, uint32_t base,
                                                               const uint64_t pcs[PATH_PCS])
{
    const struct path_entry *entries = memo->paths.entries;
    uintptr_t last_pc = memo->pc;
    memo->pc = 0; /* a jump may leave at any point */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    struct path_entry *entry = path_intern(&memo->paths, base, pcs);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (memo->paths.entries == entries && &entry->leaf != memo->leaf)
        memo->pc = last_pc;
    return entry;
}

static inline struct path_entry *near_path(struct memo *memo, uint32_t base,
                                           const uint64_t pcs[PATH_PCS])
{
    struct path_entry *entry = &memo->paths.entries[path_hash(base, pcs) >> memo->paths.shift];
    return __builtin_expect(path_is(entry, base, pcs), 1) ? entry : near_learn(memo, base, pcs);
}

static inline struct memo_leaf *near_leaf(struct memo *memo, const struct near *near,
                                          uint64_t pcs[PATH_LONG])
{
    uint32_t node = near->frame->node;
    if (near->count == 0) { /* a frame of the memo itself: the last of the path that led there */
        pcs[0] = near->pc;
        node = near->frame[-1].node;
    } else if (near->count > PATH_PCS) {
        struct path_entry *outer = near_path(memo, node, pcs + PATH_PCS);
        node = outer->leaf.node;
        if (__builtin_expect(node == BOX_NONE, 0))
            return &outer->leaf;
    }
    return &near_path(memo, node, pcs)->leaf;
}

static inline struct memo_leaf *memo_near(struct memo *memo, const struct unwind_start *start,
                                          uintptr_t stack_top)
{
    const struct memo_stack *stack = &memo->stack;
    const struct row_table *table = row_table();
    uint64_t pcs[PATH_LONG] = {0};
    struct near near = {
        .pc = start->pc, .sp = start->sp, .fp = start->fp, .frame = &stack->frames[stack->depth]};
    /* On a stack of which no end is known, each page would have to be asked for. */
    if (__builtin_expect(stack->depth == 0 || stack->stack_top != stack_top ||
                             start->sp >= stack_top || !memo->paths.entries,
                         0))
        return NULL;
    while (!near_met(&near, pcs, stack))
        if (!near_step(&near, pcs, table, stack_top))
            return NULL;
    if (near.count != 0 && near_stays(memo, &near, pcs[near.count - 1]))
        return NULL;
    struct memo_leaf *leaf = near_leaf(memo, &near, pcs);
    memo_branch_learn(memo, start, near.frame, near.count, leaf);
    return leaf;
}

struct memo_leaf *memo_capture_stepped(struct memo *memo, const struct unwind_start *start,
                                       uintptr_t stack_top)
{
    struct memo_leaf *leaf = memo_near(memo, start, stack_top);
    return __builtin_expect(leaf != NULL, 1) ? leaf : memo_capture_walked(memo, start, stack_top);
}
