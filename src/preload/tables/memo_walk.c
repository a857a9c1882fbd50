#include "memo_walk.h"

#include "preload/unwind/row.h"
#include "preload/unwind/unwind_arch.h"
#include "preload/unwind/unwind_walk.h"

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
    uint32_t cell = memo_differs(stack, stack->ends[way->at]);
    if (cell == MEMO_CELLS)
        return true;
    uint32_t from = way->at, to = from;
    while (cell < stack->ends[to - 1])
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

enum way_end way_go(struct way *way)
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
