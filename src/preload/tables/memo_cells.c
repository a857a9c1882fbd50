#include "memo_cells.h"

#include "preload/unwind/row.h"
#include "preload/unwind/unwind_arch.h"

#include <string.h>

static uintptr_t load(uintptr_t at)
{
    uintptr_t value;
    memcpy(&value, (const void *)at, sizeof(value));
    return value;
}

static struct memo_cell *cell_put(struct memo_cell *cell, uintptr_t at)
{
    *cell = (struct memo_cell){(const uintptr_t *)at, load(at)};
    return cell + 1;
}

/*
 * The cells that a step by a rule reads, however it was taken; see the definition of live in memo.h. The
 * one that says where the others are comes last: it is looked at first, and they may be gone.
 */
static struct memo_cell *cells_of_row(struct memo_cell *cell, struct memo_frame *frame,
                                      const struct row *row, bool live)
{
    uintptr_t at = (row->base_fp ? frame->fp : frame->sp) + (uintptr_t)row->cfa_offset;
    uintptr_t cfa = row->kind == ROW_DEREF ? load(at) + (uintptr_t)row->cfa_add : at;
    cell = cell_put(cell, cfa + (uintptr_t)row->return_offset);
    if (row->fp_rule != ROW_FP_SAME && live)
        cell = cell_put(cell, (row->fp_rule == ROW_FP_FROM_CFA ? cfa : frame->fp) +
                                  (uintptr_t)row->fp_offset);
    if (row->kind == ROW_DEREF)
        cell = cell_put(cell, at);
    if (row->base_fp || (row->fp_rule != ROW_FP_FROM_CFA && live))
        frame->rule |= MEMO_FP_LIVE;
    return cell;
}

static struct memo_cell *cells_of_guess(struct memo_cell *cell, struct memo_frame *frame, bool live)
{
    frame->rule |= MEMO_FP_LIVE;
    if (frame->fp == 0) /* which ended the walk */
        return cell;
    cell = cell_put(cell, frame->fp + sizeof(uintptr_t));
    return live ? cell_put(cell, frame->fp) : cell;
}

static struct memo_cell *cells_of_signal(struct memo_cell *cell, const struct memo_frame *frame,
                                         bool live)
{
    cell = cell_put(cell, arch_signal_cell(frame->sp, ARCH_PC));
    cell = cell_put(cell, arch_signal_cell(frame->sp, ARCH_SP));
    return live ? cell_put(cell, arch_signal_cell(frame->sp, ARCH_FP)) : cell;
}

/* `live`: fp is, in the frame that the step leads to. */
static __attribute__((noinline)) struct memo_cell *cells_careful(struct memo_cell *cell,
                                                                 struct memo_frame *frame,
                                                                 bool live)
{
    struct row row;
    row_unpack(frame->rule & ROW_PAYLOAD, &row);
    switch (row.kind) {
    case ROW_FRAME:
    case ROW_DEREF:
        return cells_of_row(cell, frame, &row, live);
    case ROW_SIGNAL:
        return cells_of_signal(cell, frame, live);
    case ROW_NONE:
        return cells_of_guess(cell, frame, live);
    default:
        return cell;
    }
}

static inline struct memo_cell *cells_plain(struct memo_cell *cell, struct memo_frame *frame)
{
    uint32_t live = frame[-1].rule & MEMO_FP_LIVE;
    uint32_t fp_slot = frame->rule >> ROW_FP_SHIFT & ROW_FP_SLOT_MAX;
    uintptr_t cfa = frame[-1].sp;
    cell = cell_put(cell, cfa - 8 * (uintptr_t)arch_return_slot(fp_slot));
    if (fp_slot != 0 && live)
        cell = cell_put(cell, cfa - 8 * (uintptr_t)fp_slot);
    if (frame->rule & ROW_BASE_FP)
        frame->rule |= MEMO_FP_LIVE;
    else if (fp_slot == 0)
        frame->rule |= live;
    return cell;
}

bool memo_push(struct memo *memo, uint32_t base, uint32_t steps)
{
    struct memo_stack *stack = &memo->stack;
    struct memo_frame *frame = &stack->frames[base];
    struct memo_cell *cell = &stack->cells[stack->ends[base]];
    for (uint32_t i = steps; i-- > 0;) {
        const struct memo_step *step = &memo->steps[i];
        *++frame = (struct memo_frame){memo->pcs[i], step->sp, step->fp, 0, step->rule};
        if (__builtin_expect(step->rule & MEMO_CAREFUL, 0))
            cell = cells_careful(cell, frame, frame[-1].rule & MEMO_FP_LIVE);
        else
            cell = cells_plain(cell, frame);
        if (!(frame->rule & MEMO_FP_LIVE))
            frame->fp = 0;
        if (__builtin_expect(cell > &stack->cells[MEMO_CELLS], 0))
            return false;
        stack->ends[++base] = (uint16_t)(cell - stack->cells);
    }
    return true;
}
