#include "cfi_expression.h"
#include "cfi_read.h"

enum {
    OP_ADDR = 0x03,
    OP_DEREF = 0x06,
    OP_CONST1U = 0x08,
    OP_CONST1S = 0x09,
    OP_CONST2U = 0x0a,
    OP_CONST2S = 0x0b,
    OP_CONST4U = 0x0c,
    OP_CONST4S = 0x0d,
    OP_CONST8U = 0x0e,
    OP_CONST8S = 0x0f,
    OP_CONSTU = 0x10,
    OP_CONSTS = 0x11,
    OP_DUP = 0x12,
    OP_DROP = 0x13,
    OP_OVER = 0x14,
    OP_PICK = 0x15,
    OP_SWAP = 0x16,
    OP_ROT = 0x17,
    OP_ABS = 0x19,
    OP_AND = 0x1a,
    OP_DIV = 0x1b,
    OP_MINUS = 0x1c,
    OP_MOD = 0x1d,
    OP_MUL = 0x1e,
    OP_NEG = 0x1f,
    OP_NOT = 0x20,
    OP_OR = 0x21,
    OP_PLUS = 0x22,
    OP_PLUS_UCONST = 0x23,
    OP_SHL = 0x24,
    OP_SHR = 0x25,
    OP_SHRA = 0x26,
    OP_XOR = 0x27,
    OP_BRA = 0x28,
    OP_EQ = 0x29,
    OP_GE = 0x2a,
    OP_GT = 0x2b,
    OP_LE = 0x2c,
    OP_LT = 0x2d,
    OP_NE = 0x2e,
    OP_SKIP = 0x2f,
    OP_LIT0 = 0x30,
    OP_LIT31 = 0x4f,
    OP_BREG0 = 0x70,
    OP_BREG31 = 0x8f,
    OP_BREGX = 0x92,
    OP_DEREF_SIZE = 0x94,
    OP_NOP = 0x96
};

enum {
    STACK_MAX = 32, /* the deepest real expression uses 4 */
    STEPS_MAX = 256 /* branches may loop */
};

struct machine {
    const struct cfi_machine *frame;
    struct cfi_cursor code;
    const uint8_t *first; /* of the block */
    unsigned depth;
    bool bad;
    uintptr_t stack[STACK_MAX];
};

static void machine_push(struct machine *machine, uintptr_t value)
{
    if (machine->depth == STACK_MAX)
        machine->bad = true;
    else
        machine->stack[machine->depth++] = value;
}

/* The value `at` places below the top. */
static uintptr_t machine_peek(struct machine *machine, unsigned at)
{
    if (at >= machine->depth) {
        machine->bad = true;
        return 0;
    }
    return machine->stack[machine->depth - 1 - at];
}

static uintptr_t machine_pop(struct machine *machine)
{
    uintptr_t value = machine_peek(machine, 0);
    if (!machine->bad)
        machine->depth--;
    return value;
}

static void machine_register(struct machine *machine, uint64_t reg)
{
    int64_t offset = cfi_sleb(&machine->code);
    if (reg >= ARCH_REGISTERS)
        machine->bad = true;
    else
        machine_push(machine, machine->frame->registers[reg] + (uintptr_t)offset);
}

static void machine_deref(struct machine *machine, unsigned size_bytes)
{
    uintptr_t value = 0;
    uintptr_t address = machine_pop(machine);
    if (size_bytes == 0 || size_bytes > sizeof(value) ||
        !memory_check(machine->frame->memory, address, size_bytes)) {
        machine->bad = true;
        return;
    }
    memcpy(&value, (const void *)address, size_bytes);
    machine_push(machine, value);
}

static void machine_jump(struct machine *machine, bool taken)
{
    int64_t distance = cfi_signed(&machine->code, 2);
    int64_t target = machine->code.at - machine->first + distance;
    if (!taken)
        return;
    if (target < 0 || target > machine->code.end - machine->first)
        machine->bad = true;
    else
        machine->code.at = machine->first + target;
}

static uintptr_t constant(struct machine *machine, uint8_t operation)
{
    struct cfi_cursor *code = &machine->code;
    switch (operation) {
    case OP_ADDR:
    case OP_CONST8U:
    case OP_CONST8S:
        return cfi_fixed(code, 8);
    case OP_CONST1U:
        return cfi_u8(code);
    case OP_CONST1S:
        return (uintptr_t)cfi_signed(code, 1);
    case OP_CONST2U:
        return cfi_fixed(code, 2);
    case OP_CONST2S:
        return (uintptr_t)cfi_signed(code, 2);
    case OP_CONST4U:
        return cfi_fixed(code, 4);
    case OP_CONST4S:
        return (uintptr_t)cfi_signed(code, 4);
    case OP_CONSTU:
        return cfi_uleb(code);
    default:
        return (uintptr_t)cfi_sleb(code);
    }
}

static uintptr_t divided(struct machine *machine, intptr_t left, intptr_t right)
{
    if (right == 0 || (left == INTPTR_MIN && right == -1)) {
        machine->bad = true;
        return 0;
    }
    return (uintptr_t)(left / right);
}

static uintptr_t modulo(struct machine *machine, uintptr_t left, uintptr_t right)
{
    machine->bad |= right == 0;
    return right == 0 ? 0 : left % right;
}

static uintptr_t shifted(uint8_t operation, uintptr_t left, uintptr_t right)
{
    bool negative = (intptr_t)left < 0;
    if (right >= 64)
        return operation == OP_SHRA && negative ? UINTPTR_MAX : 0;
    if (operation == OP_SHL)
        return left << right;
    return operation == OP_SHR ? left >> right : (uintptr_t)((intptr_t)left >> right);
}

static bool compared(uint8_t operation, intptr_t left, intptr_t right)
{
    switch (operation) {
    case OP_EQ:
        return left == right;
    case OP_GE:
        return left >= right;
    case OP_GT:
        return left > right;
    case OP_LE:
        return left <= right;
    case OP_LT:
        return left < right;
    default:
        return left != right;
    }
}

static void machine_binary(struct machine *machine, uint8_t operation)
{
    uintptr_t right = machine_pop(machine);
    uintptr_t left = machine_pop(machine);
    uintptr_t value;
    switch (operation) {
    case OP_AND:
        value = left & right;
        break;
    case OP_OR:
        value = left | right;
        break;
    case OP_XOR:
        value = left ^ right;
        break;
    case OP_PLUS:
        value = left + right;
        break;
    case OP_MINUS:
        value = left - right;
        break;
    case OP_MUL:
        value = left * right;
        break;
    case OP_DIV:
        value = divided(machine, (intptr_t)left, (intptr_t)right);
        break;
    case OP_MOD:
        value = modulo(machine, left, right);
        break;
    case OP_SHL:
    case OP_SHR:
    case OP_SHRA:
        value = shifted(operation, left, right);
        break;
    default:
        value = compared(operation, (intptr_t)left, (intptr_t)right);
        break;
    }
    machine_push(machine, value);
}

/* The three topmost: the first goes under the other two. */
static void machine_rotate(struct machine *machine)
{
    uintptr_t first = machine_pop(machine);
    uintptr_t second = machine_pop(machine);
    uintptr_t third = machine_pop(machine);
    machine_push(machine, first);
    machine_push(machine, third);
    machine_push(machine, second);
}

static void machine_swap(struct machine *machine)
{
    uintptr_t first = machine_pop(machine);
    uintptr_t second = machine_pop(machine);
    machine_push(machine, first);
    machine_push(machine, second);
}

static void machine_unary(struct machine *machine, uint8_t operation)
{
    uintptr_t value = machine_pop(machine);
    switch (operation) {
    case OP_ABS:
        value = (intptr_t)value < 0 ? -value : value;
        break;
    case OP_NEG:
        value = -value;
        break;
    case OP_NOT:
        value = ~value;
        break;
    default:
        value += cfi_uleb(&machine->code);
        break;
    }
    machine_push(machine, value);
}

static void machine_arrange(struct machine *machine, uint8_t operation)
{
    switch (operation) {
    case OP_DUP:
        machine_push(machine, machine_peek(machine, 0));
        break;
    case OP_DROP:
        machine_pop(machine);
        break;
    case OP_OVER:
        machine_push(machine, machine_peek(machine, 1));
        break;
    case OP_PICK:
        machine_push(machine, machine_peek(machine, cfi_u8(&machine->code)));
        break;
    case OP_SWAP:
        machine_swap(machine);
        break;
    default:
        machine_rotate(machine);
        break;
    }
}

static void machine_other(struct machine *machine, uint8_t operation)
{
    switch (operation) {
    case OP_DEREF:
        machine_deref(machine, sizeof(uintptr_t));
        break;
    case OP_DEREF_SIZE:
        machine_deref(machine, cfi_u8(&machine->code));
        break;
    case OP_ABS:
    case OP_NEG:
    case OP_NOT:
    case OP_PLUS_UCONST:
        machine_unary(machine, operation);
        break;
    case OP_BRA:
        machine_jump(machine, machine_pop(machine) != 0);
        break;
    case OP_SKIP:
        machine_jump(machine, true);
        break;
    case OP_BREGX:
        machine_register(machine, cfi_uleb(&machine->code));
        break;
    case OP_NOP:
        break;
    default:
        machine->bad = true;
        break;
    }
}

static bool is_binary(uint8_t operation)
{
    return (operation >= OP_AND && operation <= OP_MUL) || operation == OP_OR ||
           operation == OP_PLUS || (operation >= OP_SHL && operation <= OP_XOR) ||
           (operation >= OP_EQ && operation <= OP_NE);
}

static void machine_step(struct machine *machine)
{
    uint8_t operation = cfi_u8(&machine->code);
    if (operation >= OP_LIT0 && operation <= OP_LIT31)
        machine_push(machine, operation - OP_LIT0);
    else if (operation >= OP_BREG0 && operation <= OP_BREG31)
        machine_register(machine, operation - OP_BREG0);
    else if (operation == OP_ADDR || (operation >= OP_CONST1U && operation <= OP_CONSTS))
        machine_push(machine, constant(machine, operation));
    else if (operation >= OP_DUP && operation <= OP_ROT)
        machine_arrange(machine, operation);
    else if (is_binary(operation))
        machine_binary(machine, operation);
    else
        machine_other(machine, operation);
}

bool cfi_evaluate(const struct cfi_machine *frame, uint32_t place, bool pushed, uintptr_t *value)
{
    struct machine machine;
    machine.frame = frame;
    machine.code = (struct cfi_cursor){frame->section->start + place, frame->section->end, false};
    uint64_t length = cfi_uleb(&machine.code);
    if (machine.code.bad || length > cfi_left(&machine.code))
        return false;
    machine.first = machine.code.at;
    machine.code.end = machine.first + length;
    machine.depth = 0;
    machine.bad = false;
    if (pushed)
        machine_push(&machine, *value);
    unsigned steps = 0;
    while (machine.code.at < machine.code.end && !machine.bad && !machine.code.bad) {
        if (steps++ == STEPS_MAX)
            return false;
        machine_step(&machine);
    }
    *value = machine_pop(&machine);
    return !machine.bad && !machine.code.bad;
}
