#include "seccomp_filter.h"

#include <string.h>

#if defined(__x86_64__)
enum { ARCHITECTURE_LOW = 62 }; /* EM_X86_64 */
#else
enum { ARCHITECTURE_LOW = 183 }; /* EM_AARCH64 */
#endif
#define ARCHITECTURE (0xc0000000u | ARCHITECTURE_LOW) /* 64 bits, little endian: linux/audit.h */

/* linux/bpf_common.h */
enum { CLASS_LD, CLASS_LDX, CLASS_ST, CLASS_STX, CLASS_ALU, CLASS_JMP, CLASS_RET, CLASS_MISC };
enum { MODE_IMM = 0x00, MODE_ABS = 0x20, MODE_MEM = 0x60, MODE_LEN = 0x80 };
enum { SOURCE_X = 0x08, RETURN_A = 0x10, MISC_TXA = 0x80 };
enum { JUMP_ALWAYS = 0x00, JUMP_EQUAL = 0x10, JUMP_GREATER = 0x20, JUMP_AT_LEAST = 0x30 };

/* linux/seccomp.h: the action is in the upper half, its data in the lower. */
#define ACTION       0xffff0000u
#define ACTION_KILL  0x80000000u
#define ACTION_ERRNO 0x00050000u
#define ACTION_LOG   0x7ffc0000u
#define ACTION_ALLOW 0x7fff0000u

enum { CELLS = 16 }; /* BPF_MEMWORDS */

struct machine {
    uint32_t a, x;
    uint32_t cells[CELLS];
    uint32_t skip; /* instructions to pass over */
    bool broken;   /* what the kernel would not have accepted */
};

static uint32_t load(struct machine *machine, const struct seccomp_instruction *one,
                     const struct seccomp_call *call)
{
    uint32_t word = 0;
    switch (one->code & 0xe0) {
    case MODE_IMM:
        return one->k;
    case MODE_LEN:
        return sizeof(*call);
    case MODE_MEM:
        return machine->cells[one->k % CELLS];
    case MODE_ABS:
        if (one->k % 4 == 0 && one->k < sizeof(*call)) {
            memcpy(&word, (const char *)call + one->k, sizeof(word));
            return word;
        }
    }
    machine->broken = true;
    return 0;
}

static uint32_t calculate(struct machine *machine, const struct seccomp_instruction *one)
{
    uint32_t a = machine->a, b = one->code & SOURCE_X ? machine->x : one->k;
    switch (one->code & 0xf0) {
    case 0x00:
        return a + b;
    case 0x10:
        return a - b;
    case 0x20:
        return a * b;
    case 0x30:
        return b ? a / b : 0;
    case 0x40:
        return a | b;
    case 0x50:
        return a & b;
    case 0x60:
        return b < 32 ? a << b : 0;
    case 0x70:
        return b < 32 ? a >> b : 0;
    case 0x80:
        return -a;
    case 0xa0:
        return a ^ b;
    }
    machine->broken = true;
    return 0;
}

static uint32_t jump(const struct machine *machine, const struct seccomp_instruction *one)
{
    uint32_t a = machine->a, b = one->code & SOURCE_X ? machine->x : one->k;
    bool holds;
    switch (one->code & 0xf0) {
    case JUMP_ALWAYS:
        return one->k;
    case JUMP_EQUAL:
        holds = a == b;
        break;
    case JUMP_GREATER:
        holds = a > b;
        break;
    case JUMP_AT_LEAST:
        holds = a >= b;
        break;
    default: /* any bit in common */
        holds = (a & b) != 0;
    }
    return holds ? one->if_true : one->if_false;
}

static void step(struct machine *machine, const struct seccomp_instruction *one,
                 const struct seccomp_call *call)
{
    switch (one->code & 7) {
    case CLASS_LD:
        machine->a = load(machine, one, call);
        break;
    case CLASS_LDX:
        machine->x = load(machine, one, call);
        break;
    case CLASS_ST:
        machine->cells[one->k % CELLS] = machine->a;
        break;
    case CLASS_STX:
        machine->cells[one->k % CELLS] = machine->x;
        break;
    case CLASS_ALU:
        machine->a = calculate(machine, one);
        break;
    case CLASS_JMP:
        machine->skip = jump(machine, one);
        break;
    case CLASS_MISC:
        if (one->code & MISC_TXA)
            machine->a = machine->x;
        else
            machine->x = machine->a;
        break;
    }
}

/* What the filter returns; jumps only lead forward, so it ends. */
static uint32_t run(const struct seccomp_program *program, const struct seccomp_call *call)
{
    struct machine machine = {0};
    for (uint32_t at = 0; at < program->length && !machine.broken; at++) {
        const struct seccomp_instruction *one = &program->instructions[at];
        if ((one->code & 7) == CLASS_RET)
            return one->code & RETURN_A ? machine.a : one->k;
        machine.skip = 0;
        step(&machine, one, call);
        if (machine.skip >= program->length)
            break;
        at += machine.skip;
    }
    return ACTION_KILL;
}

bool seccomp_filter_passes(const struct seccomp_program *program, const struct seccomp_call *call)
{
    struct seccomp_call seen = *call;
    seen.architecture = ARCHITECTURE;
    uint32_t result = run(program, &seen);
    if ((result & ACTION) == ACTION_ERRNO)
        return (result & ~ACTION) != 0; /* error 0 pretends that the call was made */
    return (result & ACTION) == ACTION_ALLOW || (result & ACTION) == ACTION_LOG;
}
