#include "cfi.h"
#include "cfi_read.h"
#include "epilogue.h"
#include "row.h"
#include "unwind_memory.h"
#include "unwind_object.h"
#include "unwind_registry.h"

enum { OP_DEREF = 0x06, OP_PLUS_UCONST = 0x23, OP_LIT0 = 0x30, OP_BREG0 = 0x70 };

/* The expression block at `place`; an empty cursor when it is not all there. */
static struct cfi_cursor block_open(const struct cfi_frame *frame, uint32_t place)
{
    struct cfi_cursor block = {frame->section.start + place, frame->section.end, false};
    uint64_t length = cfi_uleb(&block);
    if (length > cfi_left(&block))
        length = 0;
    block.end = block.at + length;
    return block;
}

/* "register + offset": the first operation of every expression we know. */
static bool block_register(struct cfi_cursor *block, uint8_t *reg, int64_t *offset)
{
    *reg = (uint8_t)(cfi_u8(block) - OP_BREG0);
    *offset = cfi_sleb(block);
    return !block->bad && (*reg == ARCH_SP || *reg == ARCH_FP) && *offset == (int32_t)*offset;
}

/* *(register + offset) [+ addend] */
static bool compile_deref(const struct cfi_frame *frame, struct row *row)
{
    struct cfi_cursor block = block_open(frame, frame->rules.cfa.expression);
    uint8_t reg;
    int64_t offset;
    if (!block_register(&block, &reg, &offset) || cfi_u8(&block) != OP_DEREF)
        return false;
    uint64_t addend = 0;
    if (block.at < block.end) {
        if (cfi_u8(&block) != OP_PLUS_UCONST)
            return false;
        addend = cfi_uleb(&block);
    }
    if (block.bad || block.at != block.end || addend > INT32_MAX)
        return false;
    row->kind = ROW_DEREF;
    row->base_fp = reg == ARCH_FP;
    row->cfa_offset = (int32_t)offset;
    row->cfa_add = (int32_t)addend;
    return true;
}

/*
 * What linkers write for the procedure linkage table: rsp + 8 + ((rip & 15) >= LIMIT) * 8, where
 * LIMIT (a literal, the seventh byte) is where the entry has pushed its index. With the address
 * known, it is an ordinary row.
 */
static bool compile_linkage(const struct cfi_frame *frame, uint64_t address, struct row *row)
{
    static const uint8_t before[] = {0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a};
    static const uint8_t after[] = {0x2a, 0x33, 0x24, 0x22};
    enum { BLOCK_BYTES = sizeof(before) + 1 + sizeof(after) };
    struct cfi_cursor block = block_open(frame, frame->rules.cfa.expression);
    if (ARCH_LINK >= 0 || cfi_left(&block) != BLOCK_BYTES)
        return false;
    uint8_t limit = (uint8_t)(block.at[sizeof(before)] - OP_LIT0);
    if (memcmp(block.at, before, sizeof(before)) != 0 || limit > 31 ||
        memcmp(block.at + sizeof(before) + 1, after, sizeof(after)) != 0)
        return false;
    row->kind = ROW_FRAME;
    row->base_fp = false;
    row->cfa_offset = (address & 15) >= limit ? 16 : 8;
    return true;
}

static bool compile_cfa(const struct cfi_frame *frame, uint64_t address, struct row *row)
{
    const struct cfi_cfa *cfa = &frame->rules.cfa;
    if (cfa->expression != 0)
        return compile_deref(frame, row) || compile_linkage(frame, address, row);
    if (cfa->reg != ARCH_SP && cfa->reg != ARCH_FP)
        return false;
    row->kind = ROW_FRAME;
    row->base_fp = cfa->reg == ARCH_FP;
    row->cfa_offset = cfa->offset;
    return true;
}

static bool compile_fp(const struct cfi_frame *frame, struct row *row)
{
    const struct cfi_rule *rule = &frame->rules.registers[ARCH_FP];
    struct cfi_cursor block;
    uint8_t reg;
    int64_t offset;
    switch (rule->how) {
    case CFI_SAME:
    case CFI_UNDEFINED:
        row->fp_rule = ROW_FP_SAME;
        return true;
    case CFI_OFFSET:
        row->fp_rule = ROW_FP_FROM_CFA;
        row->fp_offset = rule->value;
        return true;
    case CFI_EXPRESSION:
        block = block_open(frame, (uint32_t)rule->value);
        if (!block_register(&block, &reg, &offset) || block.at != block.end || reg != ARCH_FP)
            return false;
        row->fp_rule = ROW_FP_FROM_FP;
        row->fp_offset = (int32_t)offset;
        return true;
    default:
        return false;
    }
}

/* True when the rules need nothing but sp and fp; *row then says how. */
static bool compile_frame(const struct cfi_frame *frame, uint64_t address, struct row *row)
{
    const struct cfi_rule *back = &frame->rules.registers[frame->return_column];
    if (frame->signal || back->how != CFI_OFFSET)
        return false;
    if (frame->rules.registers[ARCH_SP].how != CFI_SAME)
        return false;
    row->return_offset = back->value;
    if (!compile_cfa(frame, address, row) || !compile_fp(frame, row))
        return false;
    return row->kind == ROW_DEREF || row->base_fp || row->cfa_offset > 0;
}

/* True when the code at `address` is what the kernel returns to from a signal handler. */
static bool is_signal_return(uint64_t address)
{
    struct memory memory = {0};
    return memory_check(&memory, address, ARCH_SIGNAL_CODE_BYTES) &&
           arch_is_signal_return((const uint8_t *)(uintptr_t)address);
}

static bool is_outermost(const struct cfi_frame *frame)
{
    return frame->rules.registers[frame->return_column].how == CFI_UNDEFINED;
}

/* Coroutines and threads are made to return to the start of a function: nobody called there. */
static bool is_start(const struct object *object, uint64_t key, struct cfi_frame *frame)
{
    return cfi_find(&object->section, key, frame) && frame->start == key;
}

void row_compile(uint64_t key, struct row *row)
{
    uint64_t address = key - 1;
    struct object object = {0};
    struct cfi_frame frame;
    *row = (struct row){.kind = ROW_NONE};
    bool inside = object_find(address, &object) || registry_find(address, &object.section);
    bool found = inside && cfi_find(&object.section, address, &frame);
    if ((!found || frame.signal) && is_signal_return(key))
        row->kind = ROW_SIGNAL;
    else if (found ? is_outermost(&frame) : inside && is_start(&object, key, &frame))
        row->kind = ROW_END;
    else if (found && !compile_frame(&frame, address, row))
        *row = (struct row){.kind = ROW_FULL};
    else if (inside && !found && !epilogue_row(key, row))
        *row = (struct row){.kind = ROW_NONE};
}
