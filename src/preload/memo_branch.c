#include "memo_branch.h"

#include "sys.h"

enum {
    BRANCH_BITS_FIRST = 5, /* 6 KiB */
    BRANCH_BITS_MAX = 9,   /* 96 KiB */
    BRANCH_BITS_GROWTH = 2,
    BRANCH_HOPS = 4,
    BRANCH_EVICTIONS = 2 /* so often each slot has been taken by another leaf when it grows */
};

static size_t branch_bytes(uint32_t bits)
{
    return sizeof(struct memo_branch) << bits;
}

/* A jump may leave at any point: the table is there before it is in use, and is not once it is free. */
static void branch_use(struct memo_branches *branches, struct memo_branch *slots, uint32_t bits)
{
    branches->slots = NULL;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    branches->shift = 64 - bits;
    branches->evictions = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    branches->slots = slots;
}

/* What was in it comes again by itself. */
static void branch_grow(struct memo_branches *branches)
{
    struct memo_branch *old = branches->slots;
    uint32_t old_bits = 64 - branches->shift;
    uint32_t bits = old ? old_bits + BRANCH_BITS_GROWTH : BRANCH_BITS_FIRST;
    struct memo_branch *fresh = sys_pages(branch_bytes(bits));
    branches->evictions = 0; /* without memory: tried again after as many */
    if (!fresh)
        return;
    branch_use(branches, fresh, bits);
    if (old)
        sys_pages_free(old, branch_bytes(old_bits));
}

static inline bool branch_is(const struct memo *memo, const struct memo_branch *branch,
                             const struct unwind_start *leaf)
{
    return ((branch->pc ^ leaf->pc) | (branch->sp ^ leaf->sp) |
            ((branch->fp ^ leaf->fp) & branch->fp_mask) | (branch->turn ^ memo->paths.turn)) == 0;
}

/*
 * The slot that has this leaf state and cells as they are now (*found), or is for it. Leaves that are
 * called in several ways have one state: where the first branch differs, the value that stands there
 * now tells where the next one is.
 */
static inline struct memo_branch *branch_seek(const struct memo *memo,
                                              const struct unwind_start *leaf, bool *found)
{
    const struct memo_branches *branches = &memo->branches;
    uint64_t hash = leaf->pc + (uint64_t)leaf->sp * 0x9e3779b97f4a7c15u;
    struct memo_branch *branch;
    *found = false;
    for (int hop = 0; hop < BRANCH_HOPS; hop++) {
        branch = &branches->slots[hash * 0xd6e8feb86659fd93u >> branches->shift];
        if (!branch_is(memo, branch, leaf))
            return branch;
        const struct memo_cell *cell = branch->cells, *end = cell + branch->count;
        while (cell < end && *cell->at == cell->value)
            cell++;
        if (cell == end) {
            *found = true;
            return branch;
        }
        hash += (*cell->at + (uintptr_t)cell->at) * 0xa0761d6478bd642fu;
    }
    return branch;
}

/* Where to put this leaf; NULL when there is no memory. */
static struct memo_branch *branch_claim(struct memo *memo, const struct memo_frame *leaf)
{
    struct memo_branches *branches = &memo->branches;
    struct unwind_start start = {(uintptr_t)leaf->pc, leaf->sp, leaf->fp};
    uint32_t bits = 64 - branches->shift;
    bool found;
    if (!branches->slots ||
        (bits < BRANCH_BITS_MAX && branches->evictions >> bits >= BRANCH_EVICTIONS))
        branch_grow(branches);
    if (!branches->slots)
        return NULL;
    struct memo_branch *branch = branch_seek(memo, &start, &found);
    branches->evictions += !found && branch->turn == memo->paths.turn;
    return branch;
}

void branch_put(struct memo *memo, uint32_t base)
{
    const struct memo_stack *stack = &memo->stack;
    const struct memo_frame *leaf = &stack->frames[stack->depth];
    uint32_t count = (uint32_t)stack->ends[stack->depth] - stack->ends[base];
    uint32_t rules = 0;
    for (const struct memo_frame *frame = leaf; frame > &stack->frames[base]; frame--)
        rules |= frame->rule;
    if (base == 0 || count > BRANCH_CELLS || rules & (MEMO_CAREFUL | MEMO_GUESSED))
        return;
    struct memo_branch *branch = branch_claim(memo, leaf);
    if (!branch)
        return;
    branch->turn = UINT64_MAX; /* no branch's, until all of it is there */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    branch->pc = (uintptr_t)leaf->pc;
    branch->sp = leaf->sp;
    branch->fp = leaf->fp;
    branch->fp_mask = leaf->rule & MEMO_FP_LIVE ? UINTPTR_MAX : 0;
    branch->base_sp = stack->frames[base].sp;
    branch->base_fp = stack->frames[base].fp;
    branch->leaf = memo->leaf;
    branch->node = leaf->node;
    branch->base = base;
    branch->base_node = stack->frames[base].node;
    branch->base_rule = stack->frames[base].rule;
    branch->count = count;
    for (uint32_t i = 0; i < count; i++)
        branch->cells[i] = stack->cells[stack->ends[stack->depth] - 1u - i];
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    branch->turn = memo->paths.turn;
}

/*
 * Whether the stack's frame is the one the branch grew from: the same node means the same code all the
 * way, and so the same rules and the same life of fp.
 */
static inline bool branch_fits(const struct memo_branch *branch, const struct memo_stack *stack)
{
    const struct memo_frame *base = &stack->frames[branch->base];
    uintptr_t fp_mask = branch->base_rule & MEMO_FP_LIVE ? UINTPTR_MAX : 0;
    return ((branch->base_sp ^ base->sp) | ((branch->base_fp ^ base->fp) & fp_mask) |
            (branch->base_node ^ base->node) | (branch->base_rule ^ base->rule)) == 0 &&
           branch->base <= stack->depth && branch->leaf->node == branch->node;
}

struct memo_leaf *branch_find(const struct memo *memo, const struct unwind_start *start,
                              uintptr_t stack_top)
{
    const struct memo_stack *stack = &memo->stack;
    if (__builtin_expect(!memo->branches.slots, 0))
        return NULL;
    bool found;
    const struct memo_branch *branch = branch_seek(memo, start, &found);
    if (!found || stack_top != stack->stack_top || !branch_fits(branch, stack))
        return NULL;
    if (memo_differs(&stack->cells[stack->ends[branch->base]], &stack->cells[MEMO_GUARDS]))
        return NULL;
    return branch->leaf;
}

void branch_clear(struct memo *memo)
{
    struct memo_branch *slots = memo->branches.slots;
    uint32_t bits = 64 - memo->branches.shift;
    branch_use(&memo->branches, NULL, 0);
    if (slots)
        sys_pages_free(slots, branch_bytes(bits));
}
