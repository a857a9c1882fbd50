#include "pprof_out.h"

#include "pprof.h"
#include "wire.h"

#include <assert.h>
#include <string.h>

enum {
    MESSAGE_BYTES_MAX = 10 * WIRE_NUMBER_BYTES_MAX, /* a mapping's ten numbers; the largest */
    FIELD_BYTES_MAX = 1 + WIRE_STORE_BYTES_MAX,
    VARINTS_A_TIME = 64 /* of a packed list: what the buffer is reserved for */
};

static_assert(VARINTS_A_TIME * WIRE_STORE_BYTES_MAX <= PPROF_OUT_BUFFER_BYTES, "reserve() fits");

static void flush(struct pprof_out *out)
{
    if (!out->failed && out->used_bytes > 0)
        out->failed = !out->sink->write(out->sink, out->buffer, out->used_bytes);
    out->used_bytes = 0;
}

static void put(struct pprof_out *out, const void *bytes, size_t size_bytes)
{
    const unsigned char *at = bytes;
    while (size_bytes > 0) {
        size_t part = sizeof(out->buffer) - out->used_bytes;
        if (part > size_bytes)
            part = size_bytes;
        memcpy(out->buffer + out->used_bytes, at, part);
        out->used_bytes += part;
        at += part;
        size_bytes -= part;
        if (out->used_bytes == sizeof(out->buffer))
            flush(out);
    }
}

/* Room for `size_bytes` more bytes in the buffer, which holds as many; advance() says how many were
   used. */
static unsigned char *reserve(struct pprof_out *out, size_t size_bytes)
{
    if (size_bytes > sizeof(out->buffer) - out->used_bytes)
        flush(out);
    return out->buffer + out->used_bytes;
}

static void advance(struct pprof_out *out, const unsigned char *end)
{
    out->used_bytes = (size_t)(end - out->buffer);
}

/* Fields are stored without bounds: each takes up to FIELD_BYTES_MAX of what is reserved. */

static unsigned char *store_tag(unsigned char *at, unsigned field, enum wire_type type)
{
    static_assert(PPROF_DOC_URL < 16, "a tag is one byte");
    *at = (unsigned char)(field << 3 | type);
    return at + 1;
}

static unsigned char *store_number(unsigned char *at, unsigned field, uint64_t value)
{
    return value ? wire_store_varint(store_tag(at, field, WIRE_VARINT), value) : at;
}

static unsigned char *store_head(unsigned char *at, unsigned field, uint64_t size_bytes)
{
    return wire_store_varint(store_tag(at, field, WIRE_BYTES), size_bytes);
}

static void put_number(struct pprof_out *out, unsigned field, uint64_t value)
{
    advance(out, store_number(reserve(out, FIELD_BYTES_MAX), field, value));
}

static void put_head(struct pprof_out *out, unsigned field, uint64_t size_bytes)
{
    advance(out, store_head(reserve(out, FIELD_BYTES_MAX), field, size_bytes));
}

/* A message made in a small buffer. */
struct message {
    struct wire_out wire;
    unsigned char bytes[MESSAGE_BYTES_MAX];
};

static void message_open(struct message *message)
{
    message->wire = (struct wire_out){.bytes = message->bytes, .room_bytes = MESSAGE_BYTES_MAX};
}

static void message_close(struct message *message, struct pprof_out *out, unsigned field)
{
    put_head(out, field, message->wire.used_bytes);
    put(out, message->bytes, message->wire.used_bytes);
}

void pprof_out_open(struct pprof_out *out, struct sink *sink)
{
    out->sink = sink;
    out->failed = false;
    out->used_bytes = 0;
    out->string_count = 1;
    put_head(out, PPROF_STRING_TABLE, 0);
}

bool pprof_out_close(struct pprof_out *out)
{
    flush(out);
    return !out->failed;
}

/* Bytes of the UTF-8 sequence that `lead` begins; 0 when it begins none. */
static size_t sequence_bytes(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead < 0xe0)
        return 2;
    if (lead >= 0xe0 && lead < 0xf0)
        return 3;
    return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

/* Bytes of the valid UTF-8 sequence at `at`; 0 when there is none. */
static size_t character_bytes(const unsigned char *at, size_t left_bytes)
{
    size_t length = sequence_bytes(at[0]);
    if (length > left_bytes)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    /* Longer than need be, surrogates, past U+10FFFF. */
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return length;
}

/* Puts exactly `size_bytes` bytes, also when they change meanwhile in a live process's box. */
static void put_text(struct pprof_out *out, const char *text, size_t size_bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    while (size_bytes > 0) {
        size_t length = character_bytes(at, size_bytes);
        if (length > 0)
            put(out, at, length);
        else
            put(out, "?", length = 1);
        at += length;
        size_bytes -= length;
    }
}

uint64_t pprof_out_bytes(struct pprof_out *out, const char *bytes, size_t size_bytes)
{
    if (size_bytes == 0)
        return 0;
    put_head(out, PPROF_STRING_TABLE, size_bytes);
    put_text(out, bytes, size_bytes);
    return out->string_count++;
}

uint64_t pprof_out_string(struct pprof_out *out, const char *text)
{
    return text ? pprof_out_bytes(out, text, strlen(text)) : 0;
}

uint64_t pprof_out_join(struct pprof_out *out, const struct pprof_text *parts, size_t count)
{
    size_t size_bytes = 0;
    for (size_t i = 0; i < count; i++)
        size_bytes += parts[i].size_bytes;
    if (size_bytes == 0)
        return 0;
    put_head(out, PPROF_STRING_TABLE, size_bytes);
    for (size_t i = 0; i < count; i++)
        put_text(out, parts[i].bytes, parts[i].size_bytes);
    return out->string_count++;
}

static void put_value_type(struct pprof_out *out, unsigned field, uint64_t type, uint64_t unit)
{
    struct message message;
    message_open(&message);
    wire_put_number(&message.wire, PPROF_VALUE_TYPE_TYPE, type);
    wire_put_number(&message.wire, PPROF_VALUE_TYPE_UNIT, unit);
    message_close(&message, out, field);
}

void pprof_out_sample_type(struct pprof_out *out, uint64_t type, uint64_t unit)
{
    put_value_type(out, PPROF_SAMPLE_TYPE, type, unit);
}

void pprof_out_default_type(struct pprof_out *out, uint64_t type)
{
    put_number(out, PPROF_DEFAULT_SAMPLE_TYPE, type);
}

void pprof_out_period(struct pprof_out *out, uint64_t type, uint64_t unit, int64_t period)
{
    put_value_type(out, PPROF_PERIOD_TYPE, type, unit);
    put_number(out, PPROF_PERIOD, (uint64_t)period);
}

void pprof_out_time(struct pprof_out *out, int64_t time_nanos, int64_t duration_nanos)
{
    put_number(out, PPROF_TIME_NANOS, (uint64_t)time_nanos);
    put_number(out, PPROF_DURATION_NANOS, (uint64_t)duration_nanos);
}

void pprof_out_comment(struct pprof_out *out, uint64_t text)
{
    put_number(out, PPROF_COMMENT, text);
}

void pprof_out_hidden_frames(struct pprof_out *out, uint64_t drop, uint64_t keep)
{
    put_number(out, PPROF_DROP_FRAMES, drop);
    put_number(out, PPROF_KEEP_FRAMES, keep);
}

void pprof_out_mapping(struct pprof_out *out, const struct pprof_mapping *mapping)
{
    struct message message;
    message_open(&message);
    struct wire_out *wire = &message.wire;
    wire_put_number(wire, PPROF_MAPPING_ID, mapping->id);
    wire_put_number(wire, PPROF_MAPPING_START, mapping->start);
    wire_put_number(wire, PPROF_MAPPING_LIMIT, mapping->limit);
    wire_put_number(wire, PPROF_MAPPING_OFFSET, mapping->offset);
    wire_put_number(wire, PPROF_MAPPING_FILENAME, mapping->filename);
    wire_put_number(wire, PPROF_MAPPING_BUILD_ID, mapping->build_id);
    wire_put_number(wire, PPROF_MAPPING_HAS_FUNCTIONS, mapping->has_functions);
    wire_put_number(wire, PPROF_MAPPING_HAS_FILENAMES, mapping->has_filenames);
    wire_put_number(wire, PPROF_MAPPING_HAS_LINE_NUMBERS, mapping->has_line_numbers);
    wire_put_number(wire, PPROF_MAPPING_HAS_INLINE_FRAMES, mapping->has_inline_frames);
    message_close(&message, out, PPROF_MAPPING);
}

void pprof_out_function(struct pprof_out *out, const struct pprof_function *function)
{
    struct message message;
    message_open(&message);
    wire_put_number(&message.wire, PPROF_FUNCTION_ID, function->id);
    wire_put_number(&message.wire, PPROF_FUNCTION_NAME, function->name);
    wire_put_number(&message.wire, PPROF_FUNCTION_SYSTEM_NAME, function->system_name);
    wire_put_number(&message.wire, PPROF_FUNCTION_FILENAME, function->filename);
    wire_put_number(&message.wire, PPROF_FUNCTION_START_LINE, (uint64_t)function->start_line);
    message_close(&message, out, PPROF_FUNCTION);
}

static size_t line_bytes(const struct pprof_line *line)
{
    return wire_number_bytes(PPROF_LINE_FUNCTION, line->function) +
           wire_number_bytes(PPROF_LINE_LINE, (uint64_t)line->line);
}

static size_t location_bytes(const struct pprof_location *location)
{
    size_t sum = wire_number_bytes(PPROF_LOCATION_ID, location->id) +
                 wire_number_bytes(PPROF_LOCATION_MAPPING, location->mapping) +
                 wire_number_bytes(PPROF_LOCATION_ADDRESS, location->address) +
                 wire_number_bytes(PPROF_LOCATION_IS_FOLDED, location->is_folded);
    for (size_t i = 0; i < location->line_count; i++) {
        size_t bytes = line_bytes(&location->lines[i]);
        sum += wire_head_bytes(PPROF_LOCATION_LINE, bytes) + bytes;
    }
    return sum;
}

static void put_line(struct pprof_out *out, const struct pprof_line *line)
{
    unsigned char *at = reserve(out, 3 * FIELD_BYTES_MAX);
    at = store_head(at, PPROF_LOCATION_LINE, line_bytes(line));
    at = store_number(at, PPROF_LINE_FUNCTION, line->function);
    advance(out, store_number(at, PPROF_LINE_LINE, (uint64_t)line->line));
}

void pprof_out_location(struct pprof_out *out, const struct pprof_location *location)
{
    unsigned char *at = reserve(out, 4 * FIELD_BYTES_MAX);
    at = store_head(at, PPROF_LOCATION, location_bytes(location));
    at = store_number(at, PPROF_LOCATION_ID, location->id);
    at = store_number(at, PPROF_LOCATION_MAPPING, location->mapping);
    advance(out, store_number(at, PPROF_LOCATION_ADDRESS, location->address));
    for (size_t i = 0; i < location->line_count; i++)
        put_line(out, &location->lines[i]);
    put_number(out, PPROF_LOCATION_IS_FOLDED, location->is_folded);
}

static size_t label_bytes(const struct pprof_label *label)
{
    return wire_number_bytes(PPROF_LABEL_KEY, label->key) +
           wire_number_bytes(PPROF_LABEL_STR, label->text) +
           wire_number_bytes(PPROF_LABEL_NUM, (uint64_t)label->number) +
           wire_number_bytes(PPROF_LABEL_NUM_UNIT, label->unit);
}

static void put_label(struct pprof_out *out, const struct pprof_label *label)
{
    unsigned char *at = reserve(out, 5 * FIELD_BYTES_MAX);
    at = store_head(at, PPROF_SAMPLE_LABEL, label_bytes(label));
    at = store_number(at, PPROF_LABEL_KEY, label->key);
    at = store_number(at, PPROF_LABEL_STR, label->text);
    at = store_number(at, PPROF_LABEL_NUM, (uint64_t)label->number);
    advance(out, store_number(at, PPROF_LABEL_NUM_UNIT, label->unit));
}

/* Bytes of the two packed lists' contents, and of the message. */
struct sample_sizes {
    size_t locations_bytes;
    size_t values_bytes;
    size_t all_bytes;
};

static struct sample_sizes sample_sizes(const struct pprof_sample *sample)
{
    struct sample_sizes sizes = {.locations_bytes = sample->packed ? sample->packed_bytes : 0};
    for (size_t i = 0; i < sample->depth; i++)
        sizes.locations_bytes += wire_varint_bytes(sample->locations[i]);
    for (size_t i = 0; i < sample->value_count; i++)
        sizes.values_bytes += wire_varint_bytes((uint64_t)sample->values[i]);
    sizes.all_bytes = wire_head_bytes(PPROF_SAMPLE_LOCATION, sizes.locations_bytes) +
                      sizes.locations_bytes +
                      wire_head_bytes(PPROF_SAMPLE_VALUE, sizes.values_bytes) + sizes.values_bytes;
    for (size_t i = 0; i < sample->label_count; i++) {
        size_t bytes = label_bytes(&sample->labels[i]);
        sizes.all_bytes += wire_head_bytes(PPROF_SAMPLE_LABEL, bytes) + bytes;
    }
    return sizes;
}

static size_t part_of(size_t count)
{
    return count < VARINTS_A_TIME ? count : VARINTS_A_TIME;
}

static void put_locations(struct pprof_out *out, const uint32_t *locations, size_t depth)
{
    while (depth > 0) {
        size_t part = part_of(depth);
        unsigned char *at = reserve(out, part * WIRE_STORE_BYTES_MAX);
        for (size_t i = 0; i < part; i++)
            at = wire_store_short(at, locations[i]);
        advance(out, at);
        locations += part;
        depth -= part;
    }
}

/* Most are 0. */
static unsigned char *store_value(unsigned char *at, uint64_t value)
{
    if (value >= 0x80)
        return wire_store_varint(at, value);
    *at = (unsigned char)value;
    return at + 1;
}

static void put_values(struct pprof_out *out, const int64_t *values, size_t count)
{
    while (count > 0) {
        size_t part = part_of(count);
        unsigned char *at = reserve(out, part * WIRE_STORE_BYTES_MAX);
        for (size_t i = 0; i < part; i++)
            at = store_value(at, (uint64_t)values[i]);
        advance(out, at);
        values += part;
        count -= part;
    }
}

void pprof_out_sample(struct pprof_out *out, const struct pprof_sample *sample)
{
    struct sample_sizes sizes = sample_sizes(sample);
    unsigned char *at = reserve(out, 2 * FIELD_BYTES_MAX);
    at = store_head(at, PPROF_SAMPLE, sizes.all_bytes);
    advance(out, store_head(at, PPROF_SAMPLE_LOCATION, sizes.locations_bytes));
    put(out, sample->packed, sample->packed ? sample->packed_bytes : 0);
    put_locations(out, sample->locations, sample->depth);
    put_head(out, PPROF_SAMPLE_VALUE, sizes.values_bytes);
    put_values(out, sample->values, sample->value_count);
    for (size_t i = 0; i < sample->label_count; i++)
        put_label(out, &sample->labels[i]);
}
