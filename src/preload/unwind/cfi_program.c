#include "cfi_program.h"

enum {
    CFA_ADVANCE = 0x40,
    CFA_OFFSET = 0x80,
    CFA_RESTORE = 0xc0,
    CFA_NOP = 0x00,
    CFA_SET_LOC = 0x01,
    CFA_ADVANCE1 = 0x02,
    CFA_ADVANCE2 = 0x03,
    CFA_ADVANCE4 = 0x04,
    CFA_OFFSET_EXTENDED = 0x05,
    CFA_RESTORE_EXTENDED = 0x06,
    CFA_UNDEFINED = 0x07,
    CFA_SAME_VALUE = 0x08,
    CFA_REGISTER = 0x09,
    CFA_REMEMBER_STATE = 0x0a,
    CFA_RESTORE_STATE = 0x0b,
    CFA_DEF_CFA = 0x0c,
    CFA_DEF_CFA_REGISTER = 0x0d,
    CFA_DEF_CFA_OFFSET = 0x0e,
    CFA_DEF_CFA_EXPRESSION = 0x0f,
    CFA_EXPRESSION = 0x10,
    CFA_OFFSET_EXTENDED_SF = 0x11,
    CFA_DEF_CFA_SF = 0x12,
    CFA_DEF_CFA_OFFSET_SF = 0x13,
    CFA_VAL_OFFSET = 0x14,
    CFA_VAL_OFFSET_SF = 0x15,
    CFA_VAL_EXPRESSION = 0x16,
    CFA_NEGATE_RA_STATE = 0x2d, /* aarch64; return addresses are stripped always */
    CFA_GNU_ARGS_SIZE = 0x2e,
    CFA_GNU_NEGATIVE_OFFSET_EXTENDED = 0x2f
};

enum { REMEMBER_MAX = 8 }; /* compilers nest one deep; each costs 200 bytes of the host's stack */

struct program {
    struct cfi_frame *frame;
    struct cfi_cursor *code;
    const struct cfi_rules *initial;
    uint64_t location;
    unsigned remembered;
    struct cfi_rules states[REMEMBER_MAX];
};

/* The program's malformed: what follows is not read. */
static void program_fail(struct program *program)
{
    program->code->bad = true;
}

static int32_t program_narrow(struct program *program, int64_t value)
{
    if (value != (int32_t)value)
        program_fail(program);
    return (int32_t)value;
}

static int32_t program_factored(struct program *program, int64_t value)
{
    int64_t product;
    if (__builtin_mul_overflow(value, program->frame->data_align, &product))
        program_fail(program);
    return program_narrow(program, product);
}

/* Rules of registers we do not follow (vector registers) are read and dropped. */
static void program_rule(struct program *program, uint64_t reg, enum cfi_how how, int32_t value)
{
    if (reg < ARCH_REGISTERS)
        program->frame->rules.registers[reg] = (struct cfi_rule){value, (uint8_t)how};
}

static void program_restore(struct program *program, uint64_t reg)
{
    if (program->initial == NULL)
        program_fail(program);
    else if (reg < ARCH_REGISTERS)
        program->frame->rules.registers[reg] = program->initial->registers[reg];
}

static void program_cfa_register(struct program *program, uint64_t reg)
{
    if (reg >= ARCH_REGISTERS)
        program_fail(program);
    else
        program->frame->rules.cfa.reg = (uint8_t)reg;
    program->frame->rules.cfa.expression = 0;
}

static void program_cfa_offset(struct program *program, int64_t offset)
{
    program->frame->rules.cfa.offset = program_narrow(program, offset);
}

/* Steps over an expression block; where it begins, from the section's start. */
static int32_t program_block(struct program *program)
{
    int64_t at = program->code->at - program->frame->section.start;
    uint64_t length = cfi_uleb(program->code);
    cfi_skip(program->code, length);
    return program_narrow(program, at);
}

static void program_remember(struct program *program)
{
    if (program->remembered == REMEMBER_MAX)
        program_fail(program);
    else
        program->states[program->remembered++] = program->frame->rules;
}

static void program_recall(struct program *program)
{
    if (program->remembered == 0)
        program_fail(program);
    else
        program->frame->rules = program->states[--program->remembered];
}

static void program_advance(struct program *program, uint64_t delta)
{
    program->location += delta * program->frame->code_align;
}

static void program_define_cfa(struct program *program, uint8_t operation)
{
    struct cfi_cursor *code = program->code;
    switch (operation) {
    case CFA_DEF_CFA:
        program_cfa_register(program, cfi_uleb(code));
        program_cfa_offset(program, (int64_t)cfi_uleb(code));
        break;
    case CFA_DEF_CFA_SF:
        program_cfa_register(program, cfi_uleb(code));
        program_cfa_offset(program, program_factored(program, cfi_sleb(code)));
        break;
    case CFA_DEF_CFA_REGISTER:
        program_cfa_register(program, cfi_uleb(code));
        break;
    case CFA_DEF_CFA_OFFSET_SF:
        program_cfa_offset(program, program_factored(program, cfi_sleb(code)));
        break;
    default:
        program->frame->rules.cfa.expression = (uint32_t)program_block(program);
        break;
    }
}

/* Instructions whose first operand is a register. */
static void program_define_rule(struct program *program, uint8_t operation)
{
    struct cfi_cursor *code = program->code;
    uint64_t reg = cfi_uleb(code);
    switch (operation) {
    case CFA_OFFSET_EXTENDED:
        program_rule(program, reg, CFI_OFFSET, program_factored(program, (int64_t)cfi_uleb(code)));
        break;
    case CFA_OFFSET_EXTENDED_SF:
        program_rule(program, reg, CFI_OFFSET, program_factored(program, cfi_sleb(code)));
        break;
    case CFA_GNU_NEGATIVE_OFFSET_EXTENDED:
        program_rule(program, reg, CFI_OFFSET, program_factored(program, -(int64_t)cfi_uleb(code)));
        break;
    case CFA_VAL_OFFSET:
        program_rule(program, reg, CFI_VALUE_OFFSET,
                     program_factored(program, (int64_t)cfi_uleb(code)));
        break;
    case CFA_VAL_OFFSET_SF:
        program_rule(program, reg, CFI_VALUE_OFFSET, program_factored(program, cfi_sleb(code)));
        break;
    case CFA_REGISTER:
        program_rule(program, reg, CFI_REGISTER, program_narrow(program, (int64_t)cfi_uleb(code)));
        break;
    case CFA_EXPRESSION:
        program_rule(program, reg, CFI_EXPRESSION, program_block(program));
        break;
    case CFA_VAL_EXPRESSION:
        program_rule(program, reg, CFI_VALUE_EXPRESSION, program_block(program));
        break;
    case CFA_UNDEFINED:
        program_rule(program, reg, CFI_UNDEFINED, 0);
        break;
    case CFA_SAME_VALUE:
        program_rule(program, reg, CFI_SAME, 0);
        break;
    default:
        program_restore(program, reg);
        break;
    }
}

static void program_extended(struct program *program, uint8_t operation)
{
    struct cfi_cursor *code = program->code;
    switch (operation) {
    case CFA_NOP:
    case CFA_NEGATE_RA_STATE:
        break;
    case CFA_SET_LOC:
        program->location = cfi_pointer(code, program->frame->pointer_encoding, 0);
        break;
    case CFA_ADVANCE1:
        program_advance(program, cfi_u8(code));
        break;
    case CFA_ADVANCE2:
        program_advance(program, cfi_fixed(code, 2));
        break;
    case CFA_ADVANCE4:
        program_advance(program, cfi_fixed(code, 4));
        break;
    case CFA_REMEMBER_STATE:
        program_remember(program);
        break;
    case CFA_RESTORE_STATE:
        program_recall(program);
        break;
    case CFA_DEF_CFA_OFFSET: /* every push and pop has one */
        program_cfa_offset(program, (int64_t)cfi_uleb(code));
        break;
    case CFA_GNU_ARGS_SIZE:
        cfi_uleb(code);
        break;
    default:
        if (operation >= CFA_DEF_CFA && operation <= CFA_DEF_CFA_EXPRESSION)
            program_define_cfa(program, operation);
        else if (operation == CFA_DEF_CFA_SF || operation == CFA_DEF_CFA_OFFSET_SF)
            program_define_cfa(program, operation);
        else if (operation <= CFA_VAL_EXPRESSION || operation == CFA_GNU_NEGATIVE_OFFSET_EXTENDED)
            program_define_rule(program, operation);
        else
            program_fail(program);
        break;
    }
}

static void program_step(struct program *program)
{
    uint8_t byte = cfi_u8(program->code);
    uint8_t operand = byte & 0x3f;
    switch (byte & 0xc0) {
    case CFA_ADVANCE:
        program_advance(program, operand);
        break;
    case CFA_OFFSET:
        program_rule(program, operand, CFI_OFFSET,
                     program_factored(program, (int64_t)cfi_uleb(program->code)));
        break;
    case CFA_RESTORE:
        program_restore(program, operand);
        break;
    default:
        program_extended(program, byte);
        break;
    }
}

bool cfi_program_run(struct cfi_frame *frame, struct cfi_cursor *code,
                     const struct cfi_rules *initial, uint64_t address)
{
    struct program program;
    program.frame = frame;
    program.code = code;
    program.initial = initial;
    program.location = frame->start;
    program.remembered = 0;
    while (code->at < code->end && !code->bad && program.location <= address)
        program_step(&program);
    return !code->bad;
}
