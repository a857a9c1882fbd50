#include "memo_branch.h"

#include "preload/ground/sys.h"
#include "preload/unwind/row.h"
#include "preload/unwind/unwind_arch.h"

#include <assert.h>

enum {
    BRANCH_BITS_FIRST = 6, /* 12 KiB: a thread that does little should cost little */
    BRANCH_BITS_MAX = 10,  /* 192 KiB: more push out what the program has in its caches */
    BRANCH_BITS_GROWTH = 2,
    BRANCH_FRAMES = PATH_LONG, /* a near stack has no more of its own */
    BRANCH_STAYS = 4,          /* one in so many is replaced */
    BRANCH_TRIAL = 1024,
    BRANCH_HITS_ENOUGH = 3, /* for each miss */
    BRANCH_PAUSE = 32768
};

static_assert(sizeof(struct memo_branch) <= 3 * 64, "three cache lines");

static uint64_t own_bytes; /* atomic, relaxed */

static uint32_t branch_bits(const struct memo_branches *branches)
{
    return 64 - branches->shift;
}

/* Where a walk of plain steps has met the memo. */
struct branch_way {
    const struct memo_frame *frame;
    uint32_t count; /* of steps from the leaf to it */
    const struct memo_leaf *leaf;
};

/* The steps of a branch, leaf first, taken once more. */
struct branch_steps {
    uint64_t words[BRANCH_FRAMES];
    uintptr_t cfas[BRANCH_FRAMES];
    bool live[BRANCH_FRAMES]; /* fp is, in the frame that the step leads to */
};

static uint32_t fp_slot_of(uint64_t word)
{
    return word >> ROW_FP_SHIFT & ROW_FP_SLOT_MAX;
}

/* False when it is not the way to the join after all. */
static bool steps_take(struct branch_steps *steps, const struct unwind_start *start,
                       const struct branch_way *join)
{
    const struct row_table *table = row_table();
    uintptr_t pc = start->pc, sp = start->sp, fp = start->fp;
    for (uint32_t i = 0; i < join->count; i++) {
        uint64_t word = row_lookup(table, pc);
        uint32_t fp_slot = fp_slot_of(word);
        if (word & ROW_WIDE)
            return false;
        sp = (word & ROW_BASE_FP ? fp : sp) + (word & ROW_CFA_BYTES);
        if (sp > join->frame->sp)
            return false;
        const uintptr_t *cells = (const uintptr_t *)sp;
        pc = arch_strip(cells[-(long)arch_return_slot(fp_slot)]);
        if (fp_slot != 0)
            fp = cells[-(long)fp_slot];
        steps->words[i] = word;
        steps->cfas[i] = sp;
    }
    return sp == join->frame->sp && pc == join->frame->pc;
}

/* Sets where fp is live; whether it is at the leaf. */
static bool steps_live(struct branch_steps *steps, const struct branch_way *join)
{
    bool live = join->frame->rule & MEMO_FP_LIVE;
    for (uint32_t i = join->count; i-- > 0;) {
        steps->live[i] = live;
        if (steps->words[i] & ROW_BASE_FP)
            live = true;
        else if (fp_slot_of(steps->words[i]) != 0)
            live = false;
    }
    return live;
}

static bool branch_put(struct memo_branch *branch, uintptr_t at)
{
    uintptr_t offset = at - branch->sp;
    if (offset > UINT16_MAX || branch->count == MEMO_BRANCH_CELLS)
        return false;
    branch->offsets[branch->count] = (uint16_t)offset;
    branch->values[branch->count++] = *(const uintptr_t *)at;
    return true;
}

/* The stack's cells before the one of number `end` that are no whole group. False: there is no room. */
static bool branch_rest(struct memo_branch *branch, const struct memo_stack *stack, uint32_t end)
{
    for (uint32_t cell = end - end % MEMO_GROUP; stack->zone == 0 && cell < end; cell++)
        if (!branch_put(branch, stack->zones[0].base + stack->offsets[cell]))
            return false;
    return true;
}

/*
 * The join is there, and all cells hold. Where the branch has those that are in no whole group, the groups are all that
 * need be looked at, for as long as the stack stays as it is.
 */
static void branch_join(struct memo_branch *branch, const struct memo_stack *stack)
{
    uint32_t end = stack->ends[branch->join], whole = end - end % MEMO_GROUP;
    branch->joined = 0;
    for (uint32_t i = 0; i < end - whole; i++)
        if (i >= branch->count ||
            branch->sp + branch->offsets[i] != stack->zones[0].base + stack->offsets[whole + i])
            return;
    if (stack->zone == 0)
        branch->joined = stack->version + whole;
}

/* The cells that the steps read, as memo_push() has them. */
static bool branch_cells(struct memo_branch *branch, const struct branch_steps *steps,
                         uint32_t count)
{
    for (uint32_t i = count; i-- > 0;) {
        uint32_t fp_slot = fp_slot_of(steps->words[i]);
        if (!branch_put(branch, steps->cfas[i] - sizeof(uintptr_t) * arch_return_slot(fp_slot)))
            return false;
        if (fp_slot != 0 && steps->live[i] &&
            !branch_put(branch, steps->cfas[i] - sizeof(uintptr_t) * fp_slot))
            return false;
    }
    return true;
}

/* Where memo_branch_find() would find the branch from `start`, or what is to make room for it. */
static struct memo_branch *branches_slot(const struct memo_branches *branches,
                                         const struct unwind_start *start)
{
    uint64_t hash = memo_branch_hash(start->pc, start->sp);
    for (int probes = MEMO_BRANCH_PROBES;;) {
        struct memo_branch *branch = memo_branch_at(branches, hash);
        uintptr_t value;
        if (!memo_branch_is(branch, *start) || memo_branch_holds(branch, start->sp, &value) ||
            --probes == 0)
            return branch;
        hash = memo_branch_hash_next(hash, value);
    }
}

/* A jump may leave at any point: the table is there before it is in use, and is not once it is free. */
static void branches_use(struct memo_branches *branches, struct memo_branch *table, uint32_t bits)
{
    branches->entries = branches->table = NULL;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    branches->shift = 64 - bits;
    branches->evictions = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    branches->entries = branches->table = table;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static struct memo_branch *branches_map(uint32_t bits)
{
    size_t bytes = sizeof(struct memo_branch) << bits;
    struct memo_branch *table =
        bits > BRANCH_BITS_FIRST ? sys_pages_present(bytes) : sys_pages(bytes);
    if (table)
        __atomic_fetch_add(&own_bytes, bytes, __ATOMIC_RELAXED);
    return table;
}

static void branches_unmap(struct memo_branch *table, uint32_t bits)
{
    sys_pages_free(table, sizeof(*table) << bits);
    __atomic_fetch_sub(&own_bytes, sizeof(*table) << bits, __ATOMIC_RELAXED);
}

/* What begins alike finds together again as it is learned anew. */
static void branches_grow(struct memo_branches *branches)
{
    struct memo_branch *old = branches->table;
    uint32_t old_bits = branch_bits(branches);
    uint32_t bits = old ? old_bits + BRANCH_BITS_GROWTH : BRANCH_BITS_FIRST;
    struct memo_branch *fresh = branches_map(bits);
    if (!fresh) {
        branches->evictions = 0; /* tried again after as many */
        return;
    }
    branches_use(branches, fresh, bits);
    if (!old)
        return;
    for (uint32_t i = 0; i < 1u << old_bits; i++)
        if (old[i].pc != 0)
            *memo_branch_at(branches, memo_branch_hash(old[i].pc, old[i].sp)) = old[i];
    branches_unmap(old, old_bits);
}

/* Whether branches are in use. A miss is a branch mispredicted, and more: it takes some hits to make up for it. */
static bool branches_serve(struct memo_branches *branches)
{
    bool in_use = branches->entries || !branches->table;
    if (++branches->misses < (in_use ? BRANCH_TRIAL : BRANCH_PAUSE))
        return in_use;
    in_use = !in_use || branches->hits / BRANCH_HITS_ENOUGH >= branches->misses;
    branches->misses = branches->hits = 0;
    branches->entries = in_use ? branches->table : NULL;
    return in_use;
}

/*
 * Where the branch from `start` is to go; NULL: nowhere. Where there are more of them than slots, and they
 * come in turn, all would be pushed out before they are back: a part stays.
 */
static struct memo_branch *branches_claim(struct memo_branches *branches,
                                          const struct unwind_start *start)
{
    uint32_t bits = branch_bits(branches);
    if (!branches->table || (branches->evictions >> (bits - 1) != 0 && bits < BRANCH_BITS_MAX))
        branches_grow(branches);
    if (!branches->table)
        return NULL;
    struct memo_branch *branch = branches_slot(branches, start);
    if (branch->pc == 0 || memo_branch_is(branch, *start))
        return branch;
    branches->evictions++;
    branches->turn += 0x9e3779b9; /* a part of any sequence, whatever its period */
    return branches->turn < UINT32_MAX / BRANCH_STAYS ? branch : NULL;
}

/* A jump may leave at any point: the entry is free until all of it is there, and if the cells are too many. */
static void branch_fill(struct memo_branch *branch, const struct memo *memo,
                        const struct unwind_start *start, const struct branch_way *join)
{
    struct branch_steps steps;
    const struct memo_frame *frame = join->frame;
    branch->pc = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (!steps_take(&steps, start, join))
        return;
    branch->sp = start->sp;
    branch->fp_mask = steps_live(&steps, join) ? UINTPTR_MAX : 0;
    branch->fp = start->fp;
    branch->join_sp = frame->sp;
    branch->join_fp = frame->fp;
    branch->join_node = frame->node;
    branch->join_rule = frame->rule;
    branch->stack_top = memo->stack.stack_top;
    branch->join = (uint16_t)(frame - memo->stack.frames);
    branch->leaf = *join->leaf;
    branch->count = 0;
    if (!branch_rest(branch, &memo->stack, memo->stack.ends[branch->join]) ||
        !branch_cells(branch, &steps, join->count)) {
        branch->count = 0;
        if (!branch_cells(branch, &steps, join->count))
            return;
    }
    branch_join(branch, &memo->stack);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    branch->pc = start->pc;
}

void memo_branch_learn(struct memo *memo, const struct unwind_start *start,
                       const struct memo_frame *frame, uint32_t count, const struct memo_leaf *leaf)
{
    const struct branch_way join = {frame, count, leaf};
    if (!branches_serve(&memo->branches) || leaf->site == BOX_NONE || count > BRANCH_FRAMES)
        return; /* a leaf without a site is new: whether it comes back is not known */
    struct memo_branch *branch = branches_claim(&memo->branches, start);
    if (branch)
        branch_fill(branch, memo, start, &join);
}

void memo_branch_wipe(struct memo_branches *branches)
{
    for (uint64_t i = 0; branches->table && i < 1ull << branch_bits(branches); i++)
        branches->table[i].pc = 0;
}

void memo_branch_clear(struct memo_branches *branches)
{
    struct memo_branch *table = branches->table;
    uint32_t bits = branch_bits(branches);
    branches_use(branches, NULL, 0);
    if (table)
        branches_unmap(table, bits);
}

void memo_branch_trim(struct memo_branches *branches)
{
    if (branches->table && branch_bits(branches) > BRANCH_BITS_FIRST)
        memo_branch_clear(branches);
}

uint64_t memo_branch_own_bytes(void)
{
    return __atomic_load_n(&own_bytes, __ATOMIC_RELAXED);
}

/* Whether the memo still has the branch's join, and farther out all is as it was. */
static bool branch_joins(const struct memo_branch *branch, const struct memo_stack *stack)
{
    const struct memo_frame *frame = &stack->frames[branch->join];
    return frame->sp == branch->join_sp && frame->fp == branch->join_fp &&
           frame->node == branch->join_node && frame->rule == branch->join_rule &&
           stack->stack_top == branch->stack_top && branch->join <= stack->depth &&
           memo_differs(stack, stack->ends[branch->join]) == MEMO_CELLS;
}

struct memo_leaf *memo_branch_follow(struct memo *memo)
{
    struct memo_branch *branch = memo->candidate;
    if (!branch || !branch_joins(branch, &memo->stack))
        return NULL;
    branch_join(branch, &memo->stack);
    memo->branches.hits++;
    return &branch->leaf;
}

struct memo_leaf *memo_capture(struct memo *memo, const struct unwind_start *start,
                               uintptr_t stack_top)
{
    struct memo_leaf *leaf = NULL;
    if (stack_top == memo->stack.stack_top) {
        leaf = memo_known(memo, *start);
        leaf = leaf ? leaf : memo_branch_follow(memo);
    }
    return leaf ? leaf : memo_capture_stepped(memo, start, stack_top);
}
