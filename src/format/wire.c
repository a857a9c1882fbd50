#include "wire.h"

#include <string.h>

static uint64_t tag_of(unsigned field, enum wire_type type)
{
    return (uint64_t)field << 3 | (uint64_t)type;
}

/* The place for `size_bytes` more bytes, or NULL. */
static unsigned char *claim(struct wire_out *out, size_t size_bytes)
{
    if (out->full || size_bytes > out->room_bytes - out->used_bytes) {
        out->full = true;
        return NULL;
    }
    unsigned char *place = out->bytes + out->used_bytes;
    out->used_bytes += size_bytes;
    return place;
}

void wire_put_varint(struct wire_out *out, uint64_t value)
{
    unsigned char *place = claim(out, wire_varint_bytes(value));
    if (!place)
        return;
    for (; value > 0x7f; value >>= 7)
        *place++ = (unsigned char)(value | 0x80);
    *place = (unsigned char)value;
}

void wire_put_number(struct wire_out *out, unsigned field, uint64_t value)
{
    if (value == 0)
        return;
    wire_put_varint(out, tag_of(field, WIRE_VARINT));
    wire_put_varint(out, value);
}

void wire_put_head(struct wire_out *out, unsigned field, uint64_t size_bytes)
{
    wire_put_varint(out, tag_of(field, WIRE_BYTES));
    wire_put_varint(out, size_bytes);
}

void wire_put_bytes(struct wire_out *out, unsigned field, const void *bytes, size_t size_bytes)
{
    wire_put_head(out, field, size_bytes);
    unsigned char *place = claim(out, size_bytes);
    if (place && size_bytes > 0)
        memcpy(place, bytes, size_bytes);
}

bool wire_take_varint(struct wire_in *in, uint64_t *value)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < WIRE_VARINT_BYTES_MAX; i++) {
        if (i >= in->left_bytes)
            return false;
        uint64_t byte = in->at[i];
        sum |= (byte & 0x7f) << (7 * i); /* the tenth byte's high bits fall off, as in protobuf */
        if (byte < 0x80) {
            in->at += i + 1;
            in->left_bytes -= i + 1;
            *value = sum;
            return true;
        }
    }
    return false;
}

/* A little-endian number of 4 or 8 bytes. */
static bool take_fixed(struct wire_in *in, size_t size_bytes, uint64_t *value)
{
    if (size_bytes > in->left_bytes)
        return false;
    *value = 0;
    for (size_t i = 0; i < size_bytes; i++)
        *value |= (uint64_t)in->at[i] << (8 * i);
    in->at += size_bytes;
    in->left_bytes -= size_bytes;
    return true;
}

static bool take_content(struct wire_in *in, struct wire_in *content)
{
    uint64_t length;
    if (!wire_take_varint(in, &length) || length > in->left_bytes)
        return false;
    content->at = in->at;
    content->left_bytes = (size_t)length;
    in->at += length;
    in->left_bytes -= (size_t)length;
    return true;
}

static bool take_payload(struct wire_in *in, struct wire_field *field)
{
    switch (field->type) {
    case WIRE_VARINT:
        return wire_take_varint(in, &field->value);
    case WIRE_FIXED64:
        return take_fixed(in, 8, &field->value);
    case WIRE_FIXED32:
        return take_fixed(in, 4, &field->value);
    case WIRE_BYTES:
        return take_content(in, &field->content);
    case WIRE_GROUP_START:
    case WIRE_GROUP_END:
        break;
    }
    return false;
}

enum wire_step wire_next(struct wire_in *in, struct wire_field *field)
{
    *field = (struct wire_field){0};
    if (in->left_bytes == 0)
        return WIRE_END;
    uint64_t tag;
    if (!wire_take_varint(in, &tag) || tag >> 3 == 0 || tag >> 3 > WIRE_FIELD_MAX)
        return WIRE_BAD;
    field->number = (uint32_t)(tag >> 3);
    field->type = (enum wire_type)(tag & 7);
    return take_payload(in, field) ? WIRE_FIELD : WIRE_BAD;
}
