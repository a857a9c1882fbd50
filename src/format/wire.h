/*
 * wire.h - protobuf's wire encoding, both ways, within bounds.
 *
 * What it is: varints, tags and length-delimited fields, put into a buffer of fixed size or taken
 *   from bytes nobody vouches for.
 * Owns: nothing; both structs point into the caller's memory.
 * Context: any; no allocation, no libc beyond memcpy.
 * Not here: which fields there are (pprof.h), whole messages (pprof_out.h, cli/profile/profile.h).
 */
#ifndef HEAPDIFF_FORMAT_WIRE_H
#define HEAPDIFF_FORMAT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_GROUP_START = 3, /* refused, as is its end: no writer of profiles uses groups */
    WIRE_GROUP_END = 4,
    WIRE_FIXED32 = 5
};

enum {
    WIRE_VARINT_BYTES_MAX = 10, /* 64 bits, 7 a byte */
    WIRE_NUMBER_BYTES_MAX = 15, /* a tag (5) and a varint */
    WIRE_STORE_BYTES_MAX = 16,  /* what wire_store_varint() may touch, and some */
    WIRE_FIELD_MAX = (1 << 29) - 1
};

/* Output. Once something did not fit, `full` stays set and nothing more is put. */
struct wire_out {
    unsigned char *bytes;
    size_t room_bytes;
    size_t used_bytes;
    bool full;
};

/* Bytes of `value` as a varint: 1..10. */
static inline size_t wire_varint_bytes(uint64_t value)
{
    unsigned bits = 64u - (unsigned)__builtin_clzll(value | 1);
    return (bits * 9 + 64) / 64; /* bits / 7, rounded up, up to 64 bits */
}
/* Bytes of a field with a varint value, 0 when the value is 0: wire_put_number() leaves it out. */
static inline size_t wire_number_bytes(unsigned field, uint64_t value)
{
    return value ? wire_varint_bytes((uint64_t)field << 3) + wire_varint_bytes(value) : 0;
}

/* Bytes of a length-delimited field's tag and length, without its content. */
static inline size_t wire_head_bytes(unsigned field, uint64_t size_bytes)
{
    return wire_varint_bytes((uint64_t)field << 3) + wire_varint_bytes(size_bytes);
}

/* The varint of `value`, of 8 bytes or less, as a number whose lowest byte comes first; the bytes past
   its `size_bytes` are 0. */
static inline uint64_t wire_word(uint64_t value, size_t size_bytes)
{
    /* Halves, quarters, eighths of 56 bits are moved apart: 7 bits a byte. */
    value = (value & 0xfffffff) | (value & 0xfffffff0000000) << 4;
    value = (value & 0x3fff00003fff) | (value & 0xfffc0000fffc000) << 2;
    value = (value & 0x7f007f007f007f) | (value & 0x3f803f803f803f80) << 1;
    return value |
           (0x8080808080808080 & ((1ull << (8 * size_bytes - 8)) - 1)); /* the last ends it */
}

/* Stores such a number, all 8 bytes of it. */
static inline void wire_store_word(unsigned char *at, uint64_t word)
{
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
        word = __builtin_bswap64(word);
    memcpy(at, &word, sizeof(word));
}

/* Stores a varint of 8 bytes or less; see wire_store_varint(). */
static inline unsigned char *wire_store_short(unsigned char *at, uint64_t value)
{
    size_t size_bytes = wire_varint_bytes(value);
    wire_store_word(at, wire_word(value, size_bytes));
    return at + size_bytes;
}

/*
 * Stores a varint at `at` and returns where the next byte goes. Without bounds and, but for huge
 * values, without branches: the caller has WIRE_STORE_BYTES_MAX bytes there, of which those after the
 * varint may be overwritten.
 */
static inline unsigned char *wire_store_varint(unsigned char *at, uint64_t value)
{
    for (; value >> 56 != 0; value >>= 7)
        *at++ = (unsigned char)(value | 0x80);
    return wire_store_short(at, value);
}

void wire_put_varint(struct wire_out *out, uint64_t value);
/* A varint field; nothing for 0, which is what an absent field means. */
void wire_put_number(struct wire_out *out, unsigned field, uint64_t value);
/* Tag and length of a length-delimited field; the content follows by other calls. */
void wire_put_head(struct wire_out *out, unsigned field, uint64_t size_bytes);
void wire_put_bytes(struct wire_out *out, unsigned field, const void *bytes, size_t size_bytes);

/* Input: what is left to be read. */
struct wire_in {
    const unsigned char *at;
    size_t left_bytes;
};

/* One field; `value` of the number types, `content` of WIRE_BYTES. */
struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value;
    struct wire_in content;
};

/* WIRE_BAD: cut short, a varint over 10 bytes, field 0 or too large, a group, an unknown type. */
enum wire_step { WIRE_FIELD, WIRE_END, WIRE_BAD };

/* Takes the next field. After WIRE_BAD nothing more can be read. A field that is not wanted needs
   nothing done to it: it is already behind. */
enum wire_step wire_next(struct wire_in *in, struct wire_field *field);

/* Takes one bare varint, as of a packed list; false when cut short or too long. */
bool wire_take_varint(struct wire_in *in, uint64_t *value);

#endif
