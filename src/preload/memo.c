#include "memo.h"

#include "arena.h"
#include "row.h"
#include "site.h"
#include "unwind_arch.h"
#include "unwind_walk.h"

#include <string.h>

/* A walk, at the frame with the state pc, sp, fp. The frames it has left are in memo->steps. */
struct way {
    struct memo *memo;
    struct memo_stack *stack;
    uint64_t pc;
    uintptr_t sp;
    uintptr_t fp;
    uintptr_t limit;
    uintptr_t stack_top;
    uint32_t steps;
    uint32_t at; /* no frame of the stack farther in than this can be met any more */
    bool trusted;
    struct memory memory;
};

enum way_end {
    WAY_MET,  /* at frame `at` of the stack; all farther out is as it was */
    WAY_ROOT, /* all frames are in the steps */
    WAY_OTHER /* a stack that cannot be proven: lost, too deep, in need of all registers */
};

/* What row_lookup() wants: rules hold for the byte before. */
static uintptr_t way_key(uint64_t pc)
{
    return (uintptr_t)((pc & ~UNWIND_EXACT) + (pc >> 63));
}

/* Whether the walk has arrived at this frame in the state it was in. */
static inline bool frame_is(const struct memo_frame *frame, uint64_t pc, uintptr_t sp, uintptr_t fp)
{
    return frame->sp == sp && frame->pc == pc && (frame->fp == fp || !(frame->rule & MEMO_FP_LIVE));
}

/*
 * Takes plain steps, the same as unwind_capture() takes, until the walk meets a frame of the stack
 * (true), or a step that is not plain.
 */
static inline bool way_fast(struct way *way)
{
    const struct row_table *table = row_table();
    const struct memo_frame *frame = &way->stack->frames[way->at];
    struct memo_step *step = &way->memo->steps[way->steps];
    const struct memo_step *room = &way->memo->steps[BOX_DEPTH_MAX];
    uint64_t *pcs = &way->memo->pcs[way->steps];
    uintptr_t limit = way->trusted ? way->limit : 0; /* after a guess, no step is plain */
    uintptr_t sp = way->sp, fp = way->fp, key = way_key(way->pc);
    uint64_t pc = way->pc;
    bool met;
    for (;;) {
        while (frame->sp < sp)
            frame--;
        met = frame_is(frame, pc, sp, fp);
        if (met)
            break;
        uint64_t word = row_lookup(table, key);
        uintptr_t cfa = (word & ROW_BASE_FP ? fp : sp) + (word & ROW_CFA_BYTES);
        if (__builtin_expect(word & ROW_WIDE || cfa - sp - 8 >= WALK_JUMP_MAX || cfa > limit ||
                                 cfa % 8 != 0 || step == room,
                             0))
            break;
        const uintptr_t *cells = (const uintptr_t *)cfa;
        unsigned fp_slot = word >> ROW_FP_SHIFT & ROW_FP_SLOT_MAX;
        uintptr_t back = arch_strip(cells[-(long)arch_return_slot(fp_slot)]);
        if (__builtin_expect(back == 0, 0))
            break;
        *step++ = (struct memo_step){.sp = sp, .fp = fp, .rule = word & ROW_PAYLOAD};
        *pcs++ = pc;
        if (fp_slot != 0)
            fp = cells[-(long)fp_slot];
        sp = cfa;
        pc = key = back;
    }
    way->steps = (uint32_t)(step - way->memo->steps);
    way->at = (uint32_t)(frame - way->stack->frames);
    way->pc = pc;
    way->sp = sp;
    way->fp = fp;
    return met;
}

static void way_note(struct way *way, uint32_t rule)
{
    way->memo->steps[way->steps] = (struct memo_step){way->sp, way->fp, rule};
    way->memo->pcs[way->steps++] = way->pc;
}

static enum walk_outcome way_careful(struct way *way)
{
    uint64_t word = row_lookup(row_table(), way_key(way->pc));
    struct walk walk = {.key = way_key(way->pc),
                        .sp = way->sp,
                        .fp = way->fp,
                        .stack_top = way->stack_top,
                        .interrupted = way->pc & UNWIND_EXACT,
                        .trusted = way->trusted,
                        .memory = way->memory};
    enum walk_outcome outcome = walk_step(&walk, word);
    if (outcome > WALK_END)
        return outcome;
    way_note(way, (word & ROW_PAYLOAD) | MEMO_CAREFUL | (way->trusted ? 0 : MEMO_GUESSED));
    way->pc = outcome == WALK_ON_SIGNAL ? (walk.key - 1) | UNWIND_EXACT : walk.key;
    way->sp = walk.sp;
    way->fp = walk.fp;
    way->limit = walk_limit(walk.sp, way->stack_top);
    way->trusted = walk.trusted;
    way->memory = walk.memory;
    return outcome;
}

/*
 * The walk is at frame `at` in its state. True when all cells farther out hold what they held. Else
 * the walk goes on from the frame whose step reads another value now: all before it is known.
 */
static bool way_meet(struct way *way)
{
    const struct memo_stack *stack = way->stack;
    const struct memo_cell *cell =
        memo_differs(&stack->cells[stack->ends[way->at]], &stack->cells[MEMO_GUARDS]);
    if (!cell)
        return true;
    uint32_t from = way->at, to = from;
    while (cell < &stack->cells[stack->ends[to - 1]])
        to--;
    way->at = to - 1;
    for (; from > to && way->steps < BOX_DEPTH_MAX; from--) {
        const struct memo_frame *outer = &stack->frames[from - 1];
        uint32_t rule = stack->frames[from].rule & ~MEMO_FP_LIVE;
        uint32_t fp_slot = rule >> ROW_FP_SHIFT & ROW_FP_SLOT_MAX;
        if (rule & MEMO_CAREFUL)
            break;
        way_note(way, rule);
        if (fp_slot != 0) /* where fp was not live, nobody has looked */
            way->fp = ((const uintptr_t *)outer->sp)[-(long)fp_slot];
        way->sp = outer->sp;
        way->pc = outer->pc;
    }
    return false;
}

static enum way_end way_go(struct way *way)
{
    enum walk_outcome outcome;
    do {
        while (way_fast(way)) {
            if (way->trusted != !(way->stack->frames[way->at].rule & MEMO_GUESSED))
                way->at--;
            else if (way_meet(way))
                return WAY_MET;
        }
        if (way->steps == BOX_DEPTH_MAX)
            return WAY_OTHER;
        outcome = way_careful(way);
    } while (outcome <= WALK_ON_SIGNAL);
    return outcome == WALK_END ? WAY_ROOT : WAY_OTHER;
}

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

/* The cells that a step by a rule reads, however it was taken; see the definition of live in memo.h. */
static struct memo_cell *cells_of_row(struct memo_cell *cell, struct memo_frame *frame,
                                      const struct row *row, bool live)
{
    uintptr_t cfa = (row->base_fp ? frame->fp : frame->sp) + (uintptr_t)row->cfa_offset;
    if (row->kind == ROW_DEREF) {
        cell = cell_put(cell, cfa);
        cfa = cell[-1].value + (uintptr_t)row->cfa_add;
    }
    cell = cell_put(cell, cfa + (uintptr_t)row->return_offset);
    if (row->fp_rule != ROW_FP_SAME && live)
        cell = cell_put(cell, (row->fp_rule == ROW_FP_FROM_CFA ? cfa : frame->fp) +
                                  (uintptr_t)row->fp_offset);
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

/* Puts the steps on top of the stack's frame `base`; false when there is no room for their cells. */
static inline bool stack_push(struct memo_stack *stack, uint32_t base, const struct way *way)
{
    struct memo_frame *frame = &stack->frames[base];
    struct memo_cell *cell = &stack->cells[stack->ends[base]];
    for (uint32_t i = way->steps; i-- > 0;) {
        const struct memo_step *step = &way->memo->steps[i];
        *++frame = (struct memo_frame){way->memo->pcs[i], step->sp, step->fp, 0, step->rule};
        if (__builtin_expect(step->rule & MEMO_CAREFUL, 0))
            cell = cells_careful(cell, frame, frame[-1].rule & MEMO_FP_LIVE);
        else
            cell = cells_plain(cell, frame);
        if (__builtin_expect(cell > &stack->cells[MEMO_CELLS], 0))
            return false;
        stack->ends[++base] = (uint16_t)(cell - stack->cells);
    }
    return true;
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

static void lost(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* The stack as unwind_capture() has it. What the memo knew stays true; the leaf's entry may be gone. */
static __attribute__((noinline)) struct memo_leaf *capture_whole(struct memo *memo,
                                                                 const struct unwind_start *start,
                                                                 uintptr_t stack_top)
{
    struct capture capture;
    unwind_capture(&capture, start, stack_top);
    if (capture.cut)
        lost(&arena.header->lost.cut_stacks);
    if (capture.ended)
        lost(&arena.header->lost.unwind_ends);
    memcpy(memo->pcs, capture.pcs, capture.depth * sizeof(capture.pcs[0]));
    struct memo_leaf *leaf = &paths_follow(memo, BOX_NONE, capture.depth, NULL)->leaf;
    if (capture.cut && leaf->site == BOX_NONE)
        leaf->site = site_of_node(leaf->node, BOX_KIND_MALLOC, true);
    return leaf;
}

/* From now on the leaf is the stack's last frame. */
static inline void memo_show(struct memo *memo, const struct memo_stack *stack,
                             struct memo_leaf *leaf)
{
    const struct memo_frame *frame = &stack->frames[stack->depth];
    memo->sp = frame->sp;
    memo->fp = frame->fp;
    memo->fp_mask = frame->rule & MEMO_FP_LIVE ? UINTPTR_MAX : 0;
    memo->stack_top = stack->stack_top;
    memo->cells_start = &stack->cells[MEMO_GUARDS];
    memo->cells_end = &stack->cells[stack->ends[stack->depth]];
    memo->leaf = leaf;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
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
    if (!stack_push(stack, base, way))
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

static __attribute__((noinline)) void stack_open(struct memo_stack *stack)
{
    stack->frames[0].sp = UINTPTR_MAX;
    stack->ends[0] = MEMO_GUARDS;
    for (int i = 0; i < MEMO_GUARDS; i++)
        stack->cells[i] = (struct memo_cell){&stack->cells[i].value, 0};
}

struct memo_leaf *memo_capture_new(struct memo *memo, const struct unwind_start *start,
                                   uintptr_t stack_top)
{
    struct memo_stack *stack = &memo->stack;
    if (__builtin_expect(stack->ends[0] == 0, 0))
        stack_open(stack);
    struct way way = {.memo = memo,
                      .stack = stack,
                      .pc = start->pc,
                      .sp = start->sp,
                      .fp = start->fp,
                      .limit = walk_limit(start->sp, stack_top),
                      .stack_top = stack_top,
                      .at = stack->stack_top == stack_top ? stack->depth : 0,
                      .trusted = true};
    memo->pc = 0; /* until all of it is there: a jump may leave at any point */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    enum way_end end = way_go(&way);
    struct memo_leaf *leaf = NULL;
    if (__builtin_expect(end != WAY_OTHER, 1))
        leaf = memo_keep(&way, end == WAY_MET ? way.at : 0);
    return leaf ? leaf : capture_whole(memo, start, stack_top);
}

void memo_clear(struct memo *memo)
{
    memo->pc = 0;
    memo->stack.depth = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    path_clear(&memo->paths);
}
