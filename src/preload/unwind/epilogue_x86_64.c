#include "epilogue.h"

#include "instruction.h"
#include "unwind_arch.h"
#include "unwind_memory.h"
#include "preload/ground/module.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    REGISTER_SP = 4, /* as instructions number them */
    REGISTER_FP = 5,
    PATHS_MAX = 48,
    STEPS_MAX = 4000, /* instructions, all paths together */
    FRAME_BYTES_MAX = 1 << 20
};

/* One way through the code; offsets are from sp (base_fp: from the frame pointer) as the call left it. */
struct path {
    uintptr_t at;
    int64_t sp;    /* where sp is */
    int64_t top;   /* what lies below was taken off: pushes may have overwritten it */
    int64_t fp_at; /* where the caller's frame pointer was taken from */
    bool base_fp;
    bool fp_taken;
};

enum step { STEP_ON, STEP_RETURNS, STEP_EXITS, STEP_LOST };

struct search {
    struct module module;
    struct memory memory;
    struct path waiting[PATHS_MAX];
    unsigned waiting_count;
    uintptr_t seen[PATHS_MAX]; /* targets of jumps */
    unsigned seen_count;
    bool exits;
};

/* Each target once, in whatever state: where paths meet, their stacks are the same. */
static bool is_new(struct search *search, uintptr_t target)
{
    for (unsigned i = 0; i < search->seen_count; i++)
        if (search->seen[i] == target)
            return false;
    if (search->seen_count == PATHS_MAX)
        return false;
    search->seen[search->seen_count++] = target;
    return true;
}

static void look_later(struct search *search, const struct path *path, uintptr_t target)
{
    if (search->waiting_count == PATHS_MAX || !is_new(search, target))
        return;
    search->waiting[search->waiting_count] = *path;
    search->waiting[search->waiting_count++].at = target;
}

/* Functions of libc that do not come back: where a thread's outermost frame calls one, it ends. */
static bool is_exit(uintptr_t target)
{
    return target == (uintptr_t)&exit || target == (uintptr_t)&pthread_exit ||
           target == (uintptr_t)&abort;
}

static void pop(struct path *path, unsigned reg)
{
    if (reg == REGISTER_FP && path->sp >= path->top && !path->fp_taken) {
        path->fp_taken = true;
        path->fp_at = path->sp;
    }
    path->sp += 8;
    path->top = path->sp > path->top ? path->sp : path->top;
}

/* sp = base + offset. */
static enum step set_sp(struct path *path, unsigned base, int64_t offset)
{
    if (base == REGISTER_SP) {
        path->sp += offset;
    } else if (base == REGISTER_FP && !path->fp_taken && !path->base_fp) {
        path->base_fp = true;
        path->sp = path->top = offset;
    } else {
        return STEP_LOST; /* another register holds the way back */
    }
    path->top = path->sp > path->top ? path->sp : path->top;
    return STEP_ON;
}

/* Instructions with a ModRM byte that write a register or memory: only sp and fp matter. */
static enum step write_operand(struct path *path, const struct instruction *in)
{
    bool to_sp = in->mod == 3 && in->rm == REGISTER_SP;
    unsigned operation = in->reg & 7;
    switch (in->opcode) {
    case 0x81:
    case 0x83: /* add, sub, and others that compute */
        if (!to_sp || operation == 7)
            return STEP_ON;
        if (operation != 0 && operation != 5)
            return STEP_LOST;
        return set_sp(path, REGISTER_SP, operation == 0 ? in->immediate : -in->immediate);
    case 0x89:
        return to_sp ? set_sp(path, in->reg, 0) : STEP_ON;
    case 0x8b:
        if (in->reg != REGISTER_SP)
            return STEP_ON;
        return in->mod == 3 ? set_sp(path, in->rm, 0) : STEP_LOST;
    case 0x8d:
        if (in->reg != REGISTER_SP)
            return STEP_ON;
        return in->has_index || in->is_relative ? STEP_LOST
                                                : set_sp(path, in->rm, in->displacement);
    case 0x8f:
        pop(path, REGISTER_SP); /* to memory */
        return STEP_ON;
    default:
        return STEP_ON;
    }
}

/* ff: calls come back, jumps through a pointer at a fixed place are calls in the last place. */
static enum step indirect(struct path *path, const struct instruction *in)
{
    switch (in->reg & 7) {
    case 4:
        return in->is_relative ? STEP_RETURNS : STEP_LOST;
    case 6:
        path->sp -= 8;
        return STEP_ON;
    default:
        return STEP_ON;
    }
}

static enum step leave(struct path *path)
{
    enum step step = set_sp(path, REGISTER_FP, 0);
    pop(path, REGISTER_FP);
    return step;
}

static enum step jump(struct search *search, struct path *path, uintptr_t target)
{
    path->at = target;
    return is_new(search, target) ? STEP_ON : STEP_LOST;
}

/* What `in`, which ends at path->at, does to the stack, or where it leads. */
static enum step follow(struct search *search, struct path *path, const struct instruction *in)
{
    uintptr_t target = path->at + (uintptr_t)in->immediate;
    unsigned opcode = in->opcode;
    if (opcode >= 0x50 && opcode <= 0x57)
        path->sp -= 8;
    else if (opcode >= 0x58 && opcode <= 0x5f)
        pop(path, in->rm);
    else if ((opcode >= 0x70 && opcode <= 0x7f) || (opcode >= 0xe0 && opcode <= 0xe3) ||
             (opcode >= 0x180 && opcode <= 0x18f))
        look_later(search, path, target);
    else if (opcode == 0x68 || opcode == 0x6a || opcode == 0x9c)
        path->sp -= 8;
    else if (opcode == 0x9d)
        path->sp += 8;
    else if (opcode == 0xc2 || opcode == 0xc3)
        return STEP_RETURNS;
    else if (opcode == 0xc9)
        return leave(path);
    else if (opcode == 0xe8)
        return is_exit(target) ? STEP_EXITS : STEP_ON;
    else if (opcode == 0xe9 || opcode == 0xeb)
        return jump(search, path, target);
    else if (opcode == 0xff)
        return indirect(path, in);
    else if (opcode == 0xf4 || opcode == 0xcc || opcode == 0x10b)
        return STEP_LOST; /* hlt, int3, ud2: nothing comes after them */
    else
        return write_operand(path, in);
    return STEP_ON;
}

static enum step walk_path(struct search *search, struct path *path, unsigned *steps)
{
    enum step step = STEP_ON;
    struct instruction in;
    while (step == STEP_ON) {
        if (++*steps > STEPS_MAX || path->at < search->module.start ||
            path->at >= search->module.end ||
            !memory_check(&search->memory, path->at, INSTRUCTION_BYTES_MAX) ||
            !instruction_read((const uint8_t *)path->at, &in))
            return STEP_LOST;
        path->at += in.length;
        step = follow(search, path, &in);
    }
    return step;
}

/* Whether a call ends at `key`: then it is a return address, else an interrupted instruction's plus one. */
static bool is_after_call(uintptr_t key, struct memory *memory)
{
    enum { CALL_BYTES_MAX = 7 };
    struct instruction in;
    if (!memory_check(memory, key - CALL_BYTES_MAX, CALL_BYTES_MAX + INSTRUCTION_BYTES_MAX))
        return false;
    for (unsigned bytes = 2; bytes <= CALL_BYTES_MAX; bytes++) {
        if (instruction_read((const uint8_t *)key - bytes, &in) && in.length == bytes &&
            (in.opcode == 0xe8 || (in.opcode == 0xff && (in.reg & 7) == 2)))
            return true;
    }
    return false;
}

/* Where the path found the return address. At a call sp is a multiple of 16, as is the frame pointer of
   those that keep one: code that runs on into the next function gives itself away. */
static bool row_of(const struct path *path, bool after_call, struct row *row)
{
    int64_t cfa = path->sp + 8;
    if (cfa <= 0 || cfa > FRAME_BYTES_MAX || cfa % 8 != 0 || (after_call && cfa % 16 != 0))
        return false;
    *row = (struct row){.kind = ROW_FRAME,
                        .base_fp = path->base_fp,
                        .cfa_offset = (int32_t)cfa,
                        .return_offset = -8};
    if (path->fp_taken) {
        row->fp_rule = ROW_FP_FROM_CFA;
        row->fp_offset = (int32_t)(path->fp_at - cfa);
    }
    return true;
}

bool epilogue_row(uint64_t key, struct row *row)
{
    struct search search = {.waiting_count = 0};
    unsigned steps = 0;
    if (!module_find(key - 1, &search.module))
        return false;
    bool after_call = is_after_call(key, &search.memory);
    look_later(&search, &(struct path){0}, after_call ? key : key - 1);
    while (search.waiting_count > 0) {
        struct path path = search.waiting[--search.waiting_count];
        enum step step = walk_path(&search, &path, &steps);
        if (step == STEP_RETURNS && row_of(&path, after_call, row))
            return true;
        search.exits |= step == STEP_EXITS;
    }
    if (search.exits)
        *row = (struct row){.kind = ROW_END};
    return search.exits;
}
