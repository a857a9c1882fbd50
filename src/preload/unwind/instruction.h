/*
 * instruction.h - one x86_64 instruction, as far as following code needs it.
 *
 * What it is: its length, opcode, operands' numbers, displacement and immediate.
 * Owns: nothing.
 * Context: anywhere; reads the bytes it is given, at most INSTRUCTION_BYTES_MAX.
 * Not here: what it does (epilogue_x86_64.c). Instructions with VEX or EVEX prefixes are not known.
 */
#ifndef HEAPDIFF_PRELOAD_INSTRUCTION_H
#define HEAPDIFF_PRELOAD_INSTRUCTION_H

#include <stdbool.h>
#include <stdint.h>

enum {
    INSTRUCTION_BYTES_MAX = 16,
    INSTRUCTION_TWO_BYTE = 0x100 /* opcodes 0f xx are 0x1xx */
};

struct instruction {
    unsigned length;
    unsigned opcode;
    unsigned mod;         /* of ModRM; 3 (a register) without ModRM */
    unsigned reg, rm;     /* with the bits of REX; rm: the base register of an address */
    bool has_index;       /* the address has an index register */
    bool is_relative;     /* the address is relative to the next instruction */
    int32_t displacement; /* of the address */
    int64_t immediate;    /* also the distance of a jump */
};

/* False when the bytes are no instruction known here. */
bool instruction_read(const uint8_t *bytes, struct instruction *instruction);

#endif
