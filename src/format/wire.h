/*
 * wire.h - protobuf's wire encoding, both ways, within bounds.
 *
 * What it is: varints, tags and length-delimited fields, put into a buffer of fixed size or taken
 *   from bytes nobody vouches for.
 * Owns: nothing; both structs point into the caller's memory.
 * Context: any; no allocation, no libc beyond memcpy.
 * Not here: which fields there are (pprof.h), whole messages (pprof_out.h, cli/profile.h).
 */
#ifndef HEAPDIFF_FORMAT_WIRE_H
#define HEAPDIFF_FORMAT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
size_t wire_varint_bytes(uint64_t value);
/* Bytes of a field with a varint value, 0 when the value is 0: wire_put_number() leaves it out. */
size_t wire_number_bytes(unsigned field, uint64_t value);
/* Bytes of a length-delimited field's tag and length, without its content. */
size_t wire_head_bytes(unsigned field, uint64_t size_bytes);

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
