/* Fuzz target: bytes read as a protobuf message, and its fields as messages and packed lists. */
#include "format/wire.h"

enum { NESTING_MAX = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void read_list(struct wire_in in)
{
    uint64_t value;
    size_t left_bytes = in.left_bytes;
    while (wire_take_varint(&in, &value)) {
        if (in.left_bytes >= left_bytes)
            __builtin_trap();
        left_bytes = in.left_bytes;
    }
}

static void read_message(struct wire_in in, int nesting)
{
    struct wire_field field;
    const unsigned char *end = in.at + in.left_bytes;
    if (nesting == NESTING_MAX)
        return;
    while (wire_next(&in, &field) == WIRE_FIELD) {
        if (in.at + in.left_bytes != end || field.number == 0)
            __builtin_trap();
        if (field.type != WIRE_BYTES)
            continue;
        read_list(field.content);
        read_message(field.content, nesting + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    read_message((struct wire_in){bytes, size_bytes}, 0);
    return 0;
}
