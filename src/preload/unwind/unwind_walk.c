#include "unwind_walk.h"
#include "unwind_arch.h"
#include "unwind_switch.h"

void walk_open(struct walk *walk, const struct unwind_start *start, uintptr_t stack_top)
{
    *walk = (struct walk){.key = start->pc,
                          .sp = start->sp,
                          .fp = start->fp,
                          .limit = walk_limit(start->sp, stack_top),
                          .stack_top = stack_top,
                          .trusted = true};
}

enum { RECORD_BYTES = 16 };

/* Whether a frame's record may lie where its frame pointer says: farther out, and not far; or, where the frame has
   switched stacks, anywhere that can be read. */
static bool may_guess(const struct walk *walk)
{
    if (walk->fp % 8 != 0)
        return false;
    if (switch_is_at(walk->key))
        return true;
    return walk->sp < walk->stack_top && walk->fp >= walk->sp &&
           walk->fp - walk->sp <= WALK_GUESS_MAX && walk->stack_top - walk->sp >= RECORD_BYTES &&
           walk->fp <= walk->stack_top - RECORD_BYTES;
}

enum walk_outcome walk_guess(struct walk *walk)
{
    uintptr_t fp = walk->fp;
    uintptr_t back;
    if (fp == 0) /* the ABIs' mark of the outermost frame: _start, the loader's entry */
        return WALK_END;
    walk->trusted = false;
    if (!may_guess(walk))
        return WALK_LOST;
    if (!memory_read(&walk->memory, fp, &walk->fp) ||
        !memory_read(&walk->memory, fp + sizeof(uintptr_t), &back))
        return WALK_LOST;
    walk->sp = fp + RECORD_BYTES;
    walk->key = arch_strip(back);
    return walk->key == 0 ? WALK_LOST : WALK_ON;
}

static enum walk_outcome walk_signal(struct walk *walk)
{
    uintptr_t registers[ARCH_REGISTERS];
    if (walk->sp % 8 != 0 || !memory_check(&walk->memory, walk->sp, ARCH_SIGNAL_FRAME_BYTES))
        return WALK_LOST;
    arch_signal_registers(walk->sp, registers);
    walk->sp = registers[ARCH_SP];
    walk->fp = registers[ARCH_FP];
    walk->key = registers[ARCH_PC] + 1;
    walk->interrupted = true;
    walk->limit = walk_limit(walk->sp, walk->stack_top);
    return walk->key == 1 ? WALK_LOST : WALK_ON_SIGNAL;
}

/* True when a frame may end at `cfa`: callers lie above. */
static bool walk_may_reach(const struct walk *walk, const struct row *row, uintptr_t cfa)
{
    if (cfa % 8 != 0)
        return false;
    if (cfa > walk->sp && (walk->sp >= walk->stack_top || cfa <= walk->stack_top))
        return true;
    /* Code that switches stacks says so by such rules; after a guess it is the guess that is wrong. */
    return walk->trusted && (row->base_fp || row->kind == ROW_DEREF);
}

/* The CFA by the rule; false when it makes no sense. */
static bool walk_cfa(struct walk *walk, const struct row *row, uintptr_t *cfa)
{
    *cfa = (row->base_fp ? walk->fp : walk->sp) + (uintptr_t)row->cfa_offset;
    if (row->kind == ROW_DEREF) {
        if (!memory_read(&walk->memory, *cfa, cfa))
            return false;
        *cfa += (uintptr_t)row->cfa_add;
    }
    return walk_may_reach(walk, row, *cfa);
}

static enum walk_outcome walk_frame(struct walk *walk, const struct row *row)
{
    uintptr_t cfa;
    uintptr_t back;
    if (!walk_cfa(walk, row, &cfa) ||
        !memory_read(&walk->memory, cfa + (uintptr_t)row->return_offset, &back))
        return WALK_LOST;
    if (row->fp_rule != ROW_FP_SAME) {
        uintptr_t base = row->fp_rule == ROW_FP_FROM_CFA ? cfa : walk->fp;
        if (!memory_read(&walk->memory, base + (uintptr_t)row->fp_offset, &walk->fp))
            return WALK_LOST;
    }
    walk->sp = cfa;
    walk->limit = walk_limit(cfa, walk->stack_top);
    walk->key = arch_strip(back);
    return walk->key == 0 ? WALK_END : WALK_ON;
}

enum walk_outcome walk_step(struct walk *walk, uint64_t word)
{
    struct row row;
    bool interrupted = walk->interrupted;
    walk->interrupted = false;
    row_unpack(word, &row);
    switch (row.kind) {
    case ROW_FRAME:
    case ROW_DEREF:
        return walk_frame(walk, &row);
    case ROW_SIGNAL:
        return walk_signal(walk);
    case ROW_END:
        return WALK_END;
    case ROW_FULL:
        return WALK_FULL;
    default: /* interrupted code may not have stored its link register yet */
        return ARCH_LINK >= 0 && interrupted ? WALK_FULL : walk_guess(walk);
    }
}
