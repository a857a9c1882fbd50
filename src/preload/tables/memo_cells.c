#include "memo_cells.h"

#include "preload/unwind/row.h"
#include "preload/unwind/unwind_arch.h"

#include <string.h>

enum {
    PAGE_BYTES = 4096,             /* the smallest there are */
    CELLS_NO_ROOM = MEMO_CELLS + 1 /* more may be put behind it, as a step goes on */
};

static const uintptr_t ZONE_BELOW = (uintptr_t)1
                                    << 31; /* stacks grow down, and begin in the middle */

static uintptr_t load(uintptr_t at)
{
    uintptr_t value;
    memcpy(&value, (const void *)at, sizeof(value));
    return value;
}

/* The last cell stands there again, up to the end of its group. */
static uint32_t group_close(struct memo_stack *stack, uint32_t cell)
{
    for (; cell % MEMO_GROUP != 0; cell++) {
        stack->offsets[cell] = stack->offsets[cell - 1];
        stack->values[cell] = stack->values[cell - 1];
    }
    return cell;
}

uint32_t memo_close(struct memo_stack *stack)
{
    return group_close(stack, stack->ends[stack->depth]);
}

/* The zones that have the cells before `cell`. */
static void zones_cut(struct memo_stack *stack, uint32_t cell)
{
    while (stack->zone > 0 && stack->zones[stack->zone].start >= cell)
        stack->zone--;
}

/* A zone for `at`, whose cell is the next. False: there are too many. */
static bool zone_open(struct memo_stack *stack, uint32_t cell, uintptr_t at)
{
    uint32_t zone = cell == 0 ? 0 : stack->zone + 1;
    if (zone == MEMO_ZONES)
        return false;
    stack->zones[zone].base = (at & -(uintptr_t)PAGE_BYTES) - ZONE_BELOW;
    stack->zones[zone].start = cell;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    stack->zone = zone;
    return true;
}

/* cell_put() of a cell that is not in the last one's page, or begins a group. */
static __attribute__((noinline)) uint32_t cell_put_apart(struct memo_stack *stack, uint32_t cell,
                                                         uintptr_t at)
{
    cell = group_close(stack, cell);
    if (cell == 0 || at - stack->zones[stack->zone].base > UINT32_MAX)
        if (!zone_open(stack, cell, at))
            return CELLS_NO_ROOM;
    stack->offsets[cell] = (uint32_t)(at - stack->zones[stack->zone].base);
    stack->values[cell] = load(at);
    return cell + 1;
}

/* Which cell is the next. */
static inline uint32_t cell_put(struct memo_stack *stack, uint32_t cell, uintptr_t at)
{
    uintptr_t offset = at - stack->zones[stack->zone].base;
    if (__builtin_expect(cell == 0 || (offset ^ stack->offsets[cell - 1]) >= PAGE_BYTES, 0))
        return cell_put_apart(stack, cell, at);
    stack->offsets[cell] = (uint32_t)offset;
    stack->values[cell] = load(at);
    return cell + 1;
}

/* One that may lie anywhere. */
static uint32_t cell_put_any(struct memo_stack *stack, uint32_t cell, uintptr_t at)
{
    return at % sizeof(uintptr_t) == 0 ? cell_put(stack, cell, at) : CELLS_NO_ROOM;
}

/*
 * The cells that a step by a rule reads, however it was taken; see the definition of live in memo.h. The
 * one that says where the others are comes last: it is looked at first, and they may be gone.
 */
static uint32_t cells_of_row(struct memo_stack *stack, uint32_t cell, struct memo_frame *frame,
                             const struct row *row, bool live)
{
    uintptr_t at = (row->base_fp ? frame->fp : frame->sp) + (uintptr_t)row->cfa_offset;
    uintptr_t cfa = row->kind == ROW_DEREF ? load(at) + (uintptr_t)row->cfa_add : at;
    cell = cell_put_any(stack, cell, cfa + (uintptr_t)row->return_offset);
    if (row->fp_rule != ROW_FP_SAME && live)
        cell = cell_put_any(stack, cell,
                            (row->fp_rule == ROW_FP_FROM_CFA ? cfa : frame->fp) +
                                (uintptr_t)row->fp_offset);
    if (row->kind == ROW_DEREF)
        cell = cell_put_any(stack, cell, at);
    if (row->base_fp || (row->fp_rule != ROW_FP_FROM_CFA && live))
        frame->rule |= MEMO_FP_LIVE;
    return cell;
}

static uint32_t cells_of_guess(struct memo_stack *stack, uint32_t cell, struct memo_frame *frame,
                               bool live)
{
    frame->rule |= MEMO_FP_LIVE;
    if (frame->fp == 0) /* which ended the walk */
        return cell;
    cell = cell_put_any(stack, cell, frame->fp + sizeof(uintptr_t));
    return live ? cell_put_any(stack, cell, frame->fp) : cell;
}

static uint32_t cells_of_signal(struct memo_stack *stack, uint32_t cell,
                                const struct memo_frame *frame, bool live)
{
    cell = cell_put_any(stack, cell, arch_signal_cell(frame->sp, ARCH_PC));
    cell = cell_put_any(stack, cell, arch_signal_cell(frame->sp, ARCH_SP));
    return live ? cell_put_any(stack, cell, arch_signal_cell(frame->sp, ARCH_FP)) : cell;
}

/* `live`: fp is, in the frame that the step leads to. */
static __attribute__((noinline)) uint32_t cells_careful(struct memo_stack *stack, uint32_t cell,
                                                        struct memo_frame *frame, bool live)
{
    struct row row;
    row_unpack(frame->rule & ROW_PAYLOAD, &row);
    switch (row.kind) {
    case ROW_FRAME:
    case ROW_DEREF:
        return cells_of_row(stack, cell, frame, &row, live);
    case ROW_SIGNAL:
        return cells_of_signal(stack, cell, frame, live);
    case ROW_NONE:
        return cells_of_guess(stack, cell, frame, live);
    default:
        return cell;
    }
}

static inline uint32_t cells_plain(struct memo_stack *stack, uint32_t cell,
                                   struct memo_frame *frame)
{
    uint32_t live = frame[-1].rule & MEMO_FP_LIVE;
    uint32_t fp_slot = frame->rule >> ROW_FP_SHIFT & ROW_FP_SLOT_MAX;
    uintptr_t cfa = frame[-1].sp;
    cell = cell_put(stack, cell, cfa - 8 * (uintptr_t)arch_return_slot(fp_slot));
    if (fp_slot != 0 && live)
        cell = cell_put(stack, cell, cfa - 8 * (uintptr_t)fp_slot);
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
    uint32_t cell = stack->ends[base];
    zones_cut(stack, cell);
    for (uint32_t i = steps; i-- > 0;) {
        const struct memo_step *step = &memo->steps[i];
        *++frame = (struct memo_frame){memo->pcs[i], step->sp, step->fp, 0, step->rule};
        if (__builtin_expect(step->rule & MEMO_CAREFUL, 0))
            cell = cells_careful(stack, cell, frame, frame[-1].rule & MEMO_FP_LIVE);
        else
            cell = cells_plain(stack, cell, frame);
        if (!(frame->rule & MEMO_FP_LIVE))
            frame->fp = 0;
        if (__builtin_expect(cell > MEMO_CELLS, 0))
            return false;
        stack->ends[++base] = (uint16_t)cell;
    }
    return true;
}

uint32_t memo_differs_where(const struct memo_stack *stack, uint32_t end)
{
    const struct memo_zone *zone = &stack->zones[stack->zone];
    while (end > 0) {
        while (zone->start >= end)
            zone--;
        end--;
        if (memo_cell_read(zone->base + stack->offsets[end]) != stack->values[end])
            return end;
    }
    return MEMO_CELLS;
}
