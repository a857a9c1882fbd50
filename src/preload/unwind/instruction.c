#include "instruction.h"

#include <string.h>

enum {
    PREFIX_OPERAND = 0x66, /* 16-bit operands, and immediates */
    REX_W = 8,
    REX_R = 4,
    REX_B = 1
};

struct prefixes {
    bool short_operand;
    uint8_t rex;
};

/* Whether bit `opcode` of a 256-bit set is on; words of 32, lowest first. */
static bool is_in(const uint32_t set[8], uint8_t opcode)
{
    return set[opcode >> 5] >> (opcode & 31) & 1;
}

/* One-byte opcodes that are not of 64-bit mode, or prefixes of what is not known here. */
static const uint32_t one_invalid[8] = {0xc0c040c0, 0x80808080, 0x00000000, 0x00000087,
                                        0x04000004, 0x00000000, 0x00704130, 0x00000400};
/* One-byte opcodes with a ModRM byte. */
static const uint32_t one_modrm[8] = {0x0f0f0f0f, 0x0f0f0f0f, 0x00000000, 0x00000a08,
                                      0x0000fffb, 0x00000000, 0xff0f00c3, 0xc0c00000};
/* One-byte opcodes with an immediate of one byte, and of four (two, with an operand prefix). */
static const uint32_t one_byte[8] = {0x10101010, 0x10101010, 0x00000000, 0xffff0c00,
                                     0x00000009, 0x00ff0100, 0x00002043, 0x000008ff};
static const uint32_t one_word[8] = {0x20202020, 0x20202020, 0x00000000, 0x00000300,
                                     0x00000002, 0x00000200, 0x00000080, 0x00000000};
/* Opcodes 0f xx without a ModRM byte, and those with an immediate of one byte. */
static const uint32_t two_plain[8] = {0x00000be0, 0x00ff0000, 0x00000000, 0x00800000,
                                      0x0000ffff, 0x00000707, 0x0000ff00, 0x00000000};
static const uint32_t two_byte[8] = {0x00000000, 0x00000000, 0x00000000, 0x000f0000,
                                     0x00000000, 0x04001010, 0x00000074, 0x00000000};

static const uint8_t *read_prefixes(const uint8_t *at, struct prefixes *prefixes)
{
    static const uint8_t known[] = {PREFIX_OPERAND, 0xf2, 0xf3, 0xf0, 0x64,
                                    0x65,           0x2e, 0x3e, 0x26, 0x36};
    for (int i = 0; i < 8 && memchr(known, *at, sizeof(known)); i++, at++)
        prefixes->short_operand |= *at == PREFIX_OPERAND;
    if ((*at & 0xf0) == 0x40)
        prefixes->rex = *at++;
    return at;
}

/* A number of 1, 2, 4 or 8 bytes, lowest first, with its sign. */
static const uint8_t *read_signed(const uint8_t *at, unsigned bytes, int64_t *value)
{
    uint64_t number = 0;
    unsigned unused_bits = 64 - 8 * bytes;
    memcpy(&number, at, bytes);
    *value = (int64_t)(number << unused_bits) >> unused_bits;
    return at + bytes;
}

/* ModRM, SIB and the displacement. */
static const uint8_t *read_operands(const uint8_t *at, uint8_t rex, struct instruction *out)
{
    enum { RM_SIB = 4, RM_RELATIVE = 5, SIB_NO_INDEX = 4, SIB_NO_BASE = 5 };
    unsigned displacement_bytes = 0;
    uint8_t modrm = *at++;
    int64_t displacement = 0;
    out->mod = modrm >> 6;
    out->reg = (modrm >> 3 & 7) | (rex & REX_R ? 8 : 0);
    out->rm = modrm & 7;
    if (out->mod == 1)
        displacement_bytes = 1;
    else if (out->mod == 2 || (out->mod == 0 && out->rm == RM_RELATIVE))
        displacement_bytes = 4;
    out->is_relative = out->mod == 0 && out->rm == RM_RELATIVE;
    if (out->mod != 3 && out->rm == RM_SIB) {
        uint8_t sib = *at++;
        out->has_index = (sib >> 3 & 7) != SIB_NO_INDEX || rex & 2;
        out->rm = sib & 7;
        if (out->mod == 0 && out->rm == SIB_NO_BASE) {
            displacement_bytes = 4;
            out->has_index = true; /* no address relative to a register */
        }
    }
    out->rm |= rex & REX_B ? 8 : 0;
    if (displacement_bytes > 0)
        at = read_signed(at, displacement_bytes, &displacement);
    out->displacement = (int32_t)displacement;
    return at;
}

/* Bytes of the immediate of a one-byte opcode. */
static unsigned immediate_bytes(const struct instruction *in, const struct prefixes *prefixes)
{
    uint8_t opcode = (uint8_t)in->opcode;
    unsigned word = prefixes->short_operand ? 2 : 4;
    if (opcode >= 0xb8 && opcode <= 0xbf) /* mov register, immediate */
        return prefixes->rex & REX_W ? 8 : word;
    if (opcode >= 0xa0 && opcode <= 0xa3) /* mov with a whole address */
        return 8;
    if (opcode == 0xc2)
        return 2;
    if (opcode == 0xf6 || opcode == 0xf7) /* test has one, its neighbours have none */
        return (in->reg & 7) > 1 ? 0 : opcode == 0xf6 ? 1 : word;
    if (opcode == 0xe8 || opcode == 0xe9)
        return 4;
    if (is_in(one_word, opcode))
        return word;
    return is_in(one_byte, opcode);
}

static const uint8_t *read_one(const uint8_t *at, const struct prefixes *prefixes,
                               struct instruction *out)
{
    if (is_in(one_invalid, (uint8_t)out->opcode))
        return NULL;
    if (is_in(one_modrm, (uint8_t)out->opcode))
        at = read_operands(at, prefixes->rex, out);
    else
        out->rm = (out->opcode & 7) | (prefixes->rex & REX_B ? 8 : 0);
    unsigned bytes = immediate_bytes(out, prefixes);
    return bytes > 0 ? read_signed(at, bytes, &out->immediate) : at;
}

static const uint8_t *read_two(const uint8_t *at, const struct prefixes *prefixes,
                               struct instruction *out)
{
    uint8_t opcode = *at++;
    out->opcode = INSTRUCTION_TWO_BYTE | opcode;
    if (opcode == 0x38 || opcode == 0x3a) { /* three bytes: all with ModRM, 3a with an immediate */
        at = read_operands(at + 1, prefixes->rex, out);
        return opcode == 0x3a ? at + 1 : at;
    }
    if (opcode >= 0x80 && opcode <= 0x8f)
        return read_signed(at, 4, &out->immediate);
    if (is_in(two_plain, opcode))
        return at;
    at = read_operands(at, prefixes->rex, out);
    return is_in(two_byte, opcode) ? at + 1 : at;
}

bool instruction_read(const uint8_t *bytes, struct instruction *out)
{
    struct prefixes prefixes = {0};
    const uint8_t *at = read_prefixes(bytes, &prefixes);
    *out = (struct instruction){.opcode = *at++, .mod = 3};
    at = out->opcode == 0x0f ? read_two(at, &prefixes, out) : read_one(at, &prefixes, out);
    out->length = at ? (unsigned)(at - bytes) : 0;
    return at != NULL;
}
