#include "unwind_full.h"
#include "cfi.h"
#include "cfi_expression.h"
#include "row.h"
#include "unwind_memory.h"
#include "unwind_object.h"
#include "unwind_registry.h"
#include "unwind_walk.h"

#include <stdatomic.h>
#include <string.h>

static struct {
    _Atomic uint64_t count;
} full;

struct full_walk {
    uintptr_t registers[ARCH_REGISTERS];
    bool exact; /* the frame was interrupted: its pc is not a return address */
    bool trusted;
    uintptr_t stack_top;
    struct memory memory;
};

static bool full_cfa(struct full_walk *walk, const struct cfi_frame *frame,
                     const struct cfi_machine *machine, uintptr_t *cfa)
{
    const struct cfi_cfa *rule = &frame->rules.cfa;
    if (rule->expression != 0)
        return cfi_evaluate(machine, rule->expression, false, cfa);
    *cfa = walk->registers[rule->reg] + (uintptr_t)rule->offset;
    return true;
}

/* The caller's value of a register that has `rule`, in *value: on entry the frame's own. */
static bool full_register(const struct cfi_machine *machine, const struct cfi_rule *rule,
                          uintptr_t cfa, uintptr_t *value)
{
    uintptr_t at = cfa;
    switch (rule->how) {
    case CFI_OFFSET:
        return memory_read(machine->memory, cfa + (uintptr_t)(intptr_t)rule->value, value);
    case CFI_VALUE_OFFSET:
        *value = cfa + (uintptr_t)(intptr_t)rule->value;
        return true;
    case CFI_REGISTER:
        if ((uint32_t)rule->value >= ARCH_REGISTERS)
            return false;
        *value = machine->registers[rule->value];
        return true;
    case CFI_EXPRESSION:
        return cfi_evaluate(machine, (uint32_t)rule->value, true, &at) &&
               memory_read(machine->memory, at, value);
    case CFI_VALUE_EXPRESSION:
        *value = cfa;
        return cfi_evaluate(machine, (uint32_t)rule->value, true, value);
    default:
        return true;
    }
}

/* Applies all rules of `frame`. */
static enum walk_outcome full_apply(struct full_walk *walk, const struct cfi_frame *frame)
{
    uintptr_t next[ARCH_REGISTERS];
    uintptr_t cfa;
    const struct cfi_rule *back = &frame->rules.registers[frame->return_column];
    struct cfi_machine machine = {&frame->section, walk->registers, &walk->memory};
    if (back->how == CFI_UNDEFINED)
        return WALK_END;
    if (back->how == CFI_SAME && (ARCH_LINK < 0 || !walk->exact))
        return WALK_LOST; /* a frame that made a call has lost its link register */
    if (!full_cfa(walk, frame, &machine, &cfa))
        return WALK_LOST;
    memcpy(next, walk->registers, sizeof(next));
    next[ARCH_SP] = cfa;
    for (unsigned i = 0; i < ARCH_REGISTERS; i++) {
        if (!full_register(&machine, &frame->rules.registers[i], cfa, &next[i]) &&
            (i == ARCH_SP || i == frame->return_column))
            return WALK_LOST;
    }
    next[ARCH_PC] = arch_strip(next[frame->return_column]);
    if (next[ARCH_SP] <= walk->registers[ARCH_SP] && !walk->trusted)
        return WALK_LOST;
    memcpy(walk->registers, next, sizeof(next));
    return frame->signal ? WALK_ON_SIGNAL : WALK_ON;
}

/*
 * Code without rules, and the kernel's signal frame: as the compiled walk does it. Where there is a link
 * register, linkage tables (`inside` an object) have no rules and leave it alone.
 */
static enum walk_outcome full_without_rules(struct full_walk *walk, uint64_t word, bool inside)
{
    uintptr_t *registers = walk->registers;
    struct row row;
    row_unpack(word, &row);
    if (row.kind == ROW_SIGNAL) {
        if (!memory_check(&walk->memory, registers[ARCH_SP], ARCH_SIGNAL_FRAME_BYTES))
            return WALK_LOST;
        arch_signal_registers(registers[ARCH_SP], registers);
        return WALK_ON_SIGNAL;
    }
    if (ARCH_LINK >= 0 && walk->exact && inside) {
        registers[ARCH_PC] = arch_strip(registers[ARCH_LINK < 0 ? 0 : ARCH_LINK]);
        return WALK_ON;
    }
    struct walk guess = {.key = registers[ARCH_PC] + walk->exact,
                         .sp = registers[ARCH_SP],
                         .fp = registers[ARCH_FP],
                         .stack_top = walk->stack_top,
                         .memory = walk->memory};
    enum walk_outcome outcome = walk_guess(&guess);
    registers[ARCH_PC] = guess.key;
    registers[ARCH_SP] = guess.sp;
    registers[ARCH_FP] = guess.fp;
    walk->memory = guess.memory;
    walk->trusted = false;
    return outcome;
}

static enum walk_outcome full_step(struct full_walk *walk)
{
    uintptr_t key = walk->registers[ARCH_PC] + (walk->exact ? 1 : 0);
    uint64_t word = row_lookup(row_table(), key);
    struct row row;
    struct object object;
    struct cfi_frame frame;
    enum walk_outcome outcome;
    bool inside = object_find(key - 1, &object) || registry_find(key - 1, &object.section);
    row_unpack(word, &row);
    if (row.kind == ROW_END)
        outcome = WALK_END;
    else if (row.kind == ROW_SIGNAL || !inside || !cfi_find(&object.section, key - 1, &frame))
        outcome = full_without_rules(walk, word, inside);
    else
        outcome = full_apply(walk, &frame);
    walk->exact = outcome == WALK_ON_SIGNAL;
    if (outcome == WALK_ON && walk->registers[ARCH_PC] == 0)
        return WALK_END;
    return outcome;
}

/* From this library's frames to the one that called the hook. */
static bool full_open(struct full_walk *walk, const struct unwind_start *start)
{
    enum { OWN_FRAMES_MAX = 32 };
    for (int i = 0; i < OWN_FRAMES_MAX; i++) {
        if (full_step(walk) != WALK_ON)
            return false;
        if (walk->registers[ARCH_PC] == start->pc && walk->registers[ARCH_SP] == start->sp)
            return true;
    }
    return false;
}

__attribute__((noinline)) bool full_capture(struct capture *capture,
                                            const struct unwind_start *start, uintptr_t stack_top)
{
    struct full_walk walk = {.trusted = true, .stack_top = stack_top, .exact = true};
    enum walk_outcome outcome;
    bool room;
    arch_registers_here(walk.registers);
    if (!full_open(&walk, start))
        return false;
    atomic_fetch_add_explicit(&full.count, 1, memory_order_relaxed);
    capture->depth = 1;
    do {
        room = true;
        outcome = full_step(&walk);
        uint64_t mark = outcome == WALK_ON_SIGNAL ? UNWIND_EXACT : 0;
        if (outcome <= WALK_ON_SIGNAL)
            room = capture_push(capture, walk.registers[ARCH_PC] | mark);
    } while (room && outcome <= WALK_ON_SIGNAL);
    capture->ended = outcome == WALK_LOST;
    return true;
}

uint64_t full_count(void)
{
    return atomic_load_explicit(&full.count, memory_order_relaxed);
}
