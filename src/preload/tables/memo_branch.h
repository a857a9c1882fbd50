/*
 * memo_branch.h - stacks that leave the memo's at some frame, as they were when they were last walked.
 *
 * What it is: programs come back to the same places by the same way. What a walk of plain steps has read
 *   between such a leaf and a frame of the memo is kept, as the memo keeps its own cells. When all of it
 *   is the same, and the frame, and the cells farther out, then so is the stack, by the same induction
 *   (memo.h), and no rule need be looked up.
 * Owns: the branches. Each memo's are its thread's.
 * Context: hooks, in the recording part, on the memo's thread. A jump out of it leaves branches that know
 *   less, but nothing wrong.
 * Not here: the walk (memo_near.c).
 *
 * A branch is found by pc and sp at its leaf. Of those that begin alike, one leads to the next, by the
 * first value that is not its own. As in the memo, cells are looked at from the leaf to the root and no
 * farther than the first that differs. What the walk was told of the stack's top follows from sp.
 * That the memo still has the join is looked at once for each version of its stack; as long as that stays,
 * only the cells are (memo_known()).
 */
#ifndef HEAPDIFF_PRELOAD_MEMO_BRANCH_H
#define HEAPDIFF_PRELOAD_MEMO_BRANCH_H

#include "memo.h"

/*
 * A walk of `count` plain steps from `start` has met `frame` of the memo; the stack's leaf is `leaf`. Keeps the way,
 * unless the leaf is new; judges whether that is worth it.
 */
void memo_branch_learn(struct memo *memo, const struct unwind_start *start,
                       const struct memo_frame *frame, uint32_t count,
                       const struct memo_leaf *leaf);

/* Forgets all. clear: the memory goes back; trim: it does, unless it is as little as at first. */
void memo_branch_wipe(struct memo_branches *branches);
void memo_branch_clear(struct memo_branches *branches);
void memo_branch_trim(struct memo_branches *branches);

/* Bytes of all tables. Any thread. */
uint64_t memo_branch_own_bytes(void);

enum { MEMO_BRANCH_PROBES = 4 };

static inline uint64_t memo_branch_hash(uintptr_t pc, uintptr_t sp)
{
    return pc * 0x9e3779b97f4a7c15ull + sp * 0xd6e8feb86659fd93ull;
}

static inline struct memo_branch *memo_branch_at(const struct memo_branches *branches,
                                                 uint64_t hash)
{
    return &branches->entries[hash >> branches->shift];
}

/* Whether the walk is where the branch begins. */
static inline bool memo_branch_is(const struct memo_branch *branch, const struct unwind_start start)
{
    return ((start.pc ^ branch->pc) | (start.sp ^ branch->sp) |
            ((start.fp ^ branch->fp) & branch->fp_mask)) == 0;
}

/*
 * Whether all cells from `sp` on, the branch's, hold what they held. *value is set to what the first that does
 * not, from the leaf on, holds now.
 */
static inline bool memo_branch_holds(const struct memo_branch *branch, uintptr_t sp,
                                     uintptr_t *value)
{
    uint64_t i = branch->count;
    for (; i >= 2; i -= 2) {
        *value = *(const uintptr_t *)(sp + branch->offsets[i - 1]);
        if (__builtin_expect(*value != branch->values[i - 1], 0))
            return false;
        *value = *(const uintptr_t *)(sp + branch->offsets[i - 2]);
        if (__builtin_expect(*value != branch->values[i - 2], 0))
            return false;
    }
    if (i == 0)
        return true;
    *value = *(const uintptr_t *)(sp + branch->offsets[0]);
    return __builtin_expect(*value == branch->values[0], 1);
}

/* What leads on from a branch of that hash: the top bits, which count, by the value's low ones, which differ. */
static inline uint64_t memo_branch_hash_next(uint64_t hash, uintptr_t value)
{
    return hash + __builtin_bswap64(value);
}

/* The branch that the walk is on, as far as its own cells say; NULL: there is none. */
static inline __attribute__((always_inline)) struct memo_branch *memo_branch_look(
    const struct memo_branches *branches, const struct unwind_start start)
{
    uint64_t hash = memo_branch_hash(start.pc, start.sp);
    uintptr_t value;
    if (__builtin_expect(!branches->entries, 0))
        return NULL;
    for (int probes = MEMO_BRANCH_PROBES; probes > 0; probes--) {
        struct memo_branch *branch = memo_branch_at(branches, hash);
        if (__builtin_expect(!memo_branch_is(branch, start), 0))
            return NULL;
        if (memo_branch_holds(branch, start.sp, &value))
            return branch;
        hash = memo_branch_hash_next(hash, value);
        __asm__("" ::
                    : "memory"); /* where the table is would be kept in registers that are scarce */
    }
    return NULL;
}

/*
 * The leaf of the calling thread's stack, if that is the last one, or a branch leads there from what has not changed
 * since it last did; else NULL, and memo_branch_follow() may follow. Calls nothing: see plain.h.
 */
static inline __attribute__((always_inline)) struct memo_leaf *memo_known(
    struct memo *memo, const struct unwind_start start)
{
    if (memo_starts_alike(memo, start) &&
        memo_groups_same(&memo->stack, memo->cells % MEMO_FP_LIVE)) {
        if (!memo->leaf)
            __builtin_unreachable(); /* nothing begins like no stack */
        return memo->leaf;
    }
    struct memo_branch *branch = memo_branch_look(&memo->branches, start);
    /* Wraps where the version is another one. */
    uint64_t cells = branch ? branch->joined - memo->stack.version : UINT64_MAX;
    if (__builtin_expect(cells > MEMO_CELLS, 0)) {
        memo->candidate = branch;
        return NULL;
    }
    if (cells != 0 && !memo_groups_same(&memo->stack, cells)) {
        memo->candidate = NULL;
        return NULL;
    }
    memo->branches.hits++;
    return &branch->leaf;
}

/* The leaf of a stack that leaves the memo's as the candidate does, which memo_known() has just left. NULL: there is none,
   or the memo has changed since that was kept. */
struct memo_leaf *memo_branch_follow(struct memo *memo);

#endif
