/*
 * profile.proto decoded. The messages name each other by ids and by indexes into a string table
 * that usually comes last, so the top level is walked several times: once to count and to check its
 * framing, then once for each kind of message, referred-to kinds first.
 */
#include "profile.h"

#include "id_map.h"
#include "input.h"
#include "cli/go/go_text.h"
#include "cli/ground/pool.h"
#include "format/pprof.h"
#include "format/wire.h"

#include <stdlib.h>
#include <string.h>

enum {
    TYPES_MAX = 64, /* a value each per sample; the most seen in the wild is 7 */
    FIELDS = PPROF_DOC_URL + 1
};

/* What decoding may need: hostile input grows by up to 28 times, real profiles by about 3. */
#define DECODED_BYTES_MAX ((size_t)4 << 30)

static const char REASON_NOT_A_PROFILE[] = "not a profile";
static const char REASON_TRUNCATED[] = "truncated or damaged profile";
static const char REASON_DAMAGED[] = "damaged profile: a message does not decode";
static const char REASON_STRING[] = "damaged profile: a string is missing from its table";
static const char REASON_REFERENCE[] = "damaged profile: a sample or location refers to nothing";
static const char REASON_TWICE[] = "damaged profile: an id occurs twice";
static const char REASON_VALUES[] = "damaged profile: a sample has too few or too many values";
static const char REASON_MEMORY[] = "needs more than 4 GiB of memory: not a heap profile";

struct decoder {
    struct profile *profile;
    struct wire_in input;
    size_t counts[FIELDS]; /* messages, and entries of packed lists, of each field */
    size_t string_count;   /* decoded so far */
    const char **strings;
    size_t value_count; /* of the sample being decoded, so far */
    struct id_map mappings, functions, locations;
    const char *reason; /* the first failure; NULL: none */
};

/* Decodes one message into place `index` of its kind; false with decoder->reason set. */
typedef bool (*decode_fn)(struct decoder *decoder, struct wire_in content, size_t index);

static bool fail(struct decoder *decoder, const char *reason)
{
    if (!decoder->reason)
        decoder->reason = reason;
    return false;
}

/* Zeroed memory of the profile, or NULL when the input asks for too much. */
static void *reserve(struct decoder *decoder, size_t count, size_t each_bytes)
{
    size_t size_bytes;
    if (__builtin_mul_overflow(count, each_bytes, &size_bytes) || size_bytes > DECODED_BYTES_MAX ||
        pool_bytes(decoder->profile->pool) > DECODED_BYTES_MAX - size_bytes) {
        fail(decoder, REASON_MEMORY);
        return NULL;
    }
    return profile_alloc(decoder->profile, count, each_bytes);
}

/* The next field of a nested message; false at its end, and when it does not decode (reason set).
 */
static bool next(struct decoder *decoder, struct wire_in *in, struct wire_field *field)
{
    enum wire_step step = wire_next(in, field);
    if (step == WIRE_BAD)
        fail(decoder, REASON_DAMAGED);
    return step == WIRE_FIELD;
}

static const char *string_at(struct decoder *decoder, uint64_t index)
{
    if (index < decoder->string_count)
        return decoder->strings[index];
    fail(decoder, REASON_STRING);
    return "";
}

/* The index of `id`, or PROFILE_NONE with reason set. */
static int index_of(struct decoder *decoder, const struct id_map *map, uint64_t id)
{
    int index = id_map_find(map, id);
    if (index < 0)
        fail(decoder, REASON_REFERENCE);
    return index;
}

/* Messages. */

static bool decode_string(struct decoder *decoder, struct wire_in content, size_t index)
{
    if (content.left_bytes > DECODED_BYTES_MAX - pool_bytes(decoder->profile->pool))
        return fail(decoder, REASON_MEMORY);
    decoder->strings[index] =
        pool_text(decoder->profile->pool, (const char *)content.at, content.left_bytes);
    return index > 0 || content.left_bytes == 0 || fail(decoder, REASON_NOT_A_PROFILE);
}

static struct value_type value_type_of(struct decoder *decoder, struct wire_in content)
{
    struct value_type type = {"", ""};
    for (struct wire_field field; next(decoder, &content, &field);) {
        if (field.number == PPROF_VALUE_TYPE_TYPE)
            type.type = string_at(decoder, field.value);
        else if (field.number == PPROF_VALUE_TYPE_UNIT)
            type.unit = string_at(decoder, field.value);
    }
    return type;
}

static bool decode_type(struct decoder *decoder, struct wire_in content, size_t index)
{
    decoder->profile->types[index] = value_type_of(decoder, content);
    return !decoder->reason;
}

static void mapping_flag(struct mapping *mapping, const struct wire_field *field)
{
    if (field->number == PPROF_MAPPING_HAS_FUNCTIONS)
        mapping->has_functions = field->value;
    else if (field->number == PPROF_MAPPING_HAS_FILENAMES)
        mapping->has_filenames = field->value;
    else if (field->number == PPROF_MAPPING_HAS_LINE_NUMBERS)
        mapping->has_line_numbers = field->value;
    else if (field->number == PPROF_MAPPING_HAS_INLINE_FRAMES)
        mapping->has_inline_frames = field->value;
}

static bool decode_mapping(struct decoder *decoder, struct wire_in content, size_t index)
{
    struct mapping *mapping = &decoder->profile->mappings[index];
    uint64_t id = 0;
    *mapping = (struct mapping){.filename = "", .build_id = ""};
    for (struct wire_field field; next(decoder, &content, &field);) {
        if (field.number == PPROF_MAPPING_ID)
            id = field.value;
        else if (field.number == PPROF_MAPPING_START)
            mapping->start = field.value;
        else if (field.number == PPROF_MAPPING_LIMIT)
            mapping->limit = field.value;
        else if (field.number == PPROF_MAPPING_OFFSET)
            mapping->offset = field.value;
        else if (field.number == PPROF_MAPPING_FILENAME)
            mapping->filename = string_at(decoder, field.value);
        else if (field.number == PPROF_MAPPING_BUILD_ID)
            mapping->build_id = string_at(decoder, field.value);
        else
            mapping_flag(mapping, &field);
    }
    id_map_put(&decoder->mappings, id);
    return !decoder->reason;
}

static bool decode_function(struct decoder *decoder, struct wire_in content, size_t index)
{
    struct function *function = &decoder->profile->functions[index];
    uint64_t id = 0;
    *function = (struct function){.name = "", .system_name = "", .filename = ""};
    for (struct wire_field field; next(decoder, &content, &field);) {
        if (field.number == PPROF_FUNCTION_ID)
            id = field.value;
        else if (field.number == PPROF_FUNCTION_NAME)
            function->name = string_at(decoder, field.value);
        else if (field.number == PPROF_FUNCTION_SYSTEM_NAME)
            function->system_name = string_at(decoder, field.value);
        else if (field.number == PPROF_FUNCTION_FILENAME)
            function->filename = string_at(decoder, field.value);
        else if (field.number == PPROF_FUNCTION_START_LINE)
            function->start_line = (int64_t)field.value;
    }
    id_map_put(&decoder->functions, id);
    return !decoder->reason;
}

/* A line without a function says nothing and is left out. */
static void decode_line(struct decoder *decoder, struct wire_in content, struct location *location)
{
    uint64_t function = 0, line = 0;
    for (struct wire_field field; next(decoder, &content, &field);) {
        if (field.number == PPROF_LINE_FUNCTION)
            function = field.value;
        else if (field.number == PPROF_LINE_LINE)
            line = field.value;
    }
    if (function == 0 || decoder->reason)
        return;
    location->lines[location->line_count++] = (struct line){
        .function = index_of(decoder, &decoder->functions, function), .line = (int64_t)line};
}

/* Fields `number` in `content`: entries of packed lists count one by one. */
static size_t count_of(struct decoder *decoder, struct wire_in content, unsigned number)
{
    size_t count = 0;
    for (struct wire_field field; next(decoder, &content, &field);) {
        if (field.number != number)
            continue;
        if (field.type != WIRE_BYTES)
            count++;
        for (size_t i = 0; i < field.content.left_bytes; i++)
            count += field.content.at[i] < 0x80; /* the last byte of a varint */
    }
    return count;
}

static size_t count_messages(struct decoder *decoder, struct wire_in content, unsigned number)
{
    size_t count = 0;
    for (struct wire_field field; next(decoder, &content, &field);)
        count += field.number == number && field.type == WIRE_BYTES;
    return count;
}

static bool decode_location(struct decoder *decoder, struct wire_in content, size_t index)
{
    struct location *location = &decoder->profile->locations[index];
    uint64_t id = 0;
    location->mapping = PROFILE_NONE;
    location->lines = reserve(decoder, count_messages(decoder, content, PPROF_LOCATION_LINE),
                              sizeof(struct line));
    if (!location->lines)
        return false;
    for (struct wire_field field; next(decoder, &content, &field);) {
        if (field.number == PPROF_LOCATION_ID)
            id = field.value;
        else if (field.number == PPROF_LOCATION_MAPPING && field.value != 0)
            location->mapping = index_of(decoder, &decoder->mappings, field.value);
        else if (field.number == PPROF_LOCATION_ADDRESS)
            location->address = field.value;
        else if (field.number == PPROF_LOCATION_IS_FOLDED)
            location->is_folded = field.value;
        else if (field.number == PPROF_LOCATION_LINE && field.type == WIRE_BYTES)
            decode_line(decoder, field.content, location);
    }
    id_map_put(&decoder->locations, id);
    return !decoder->reason;
}

static bool decode_label(struct decoder *decoder, struct wire_in content, struct label *label)
{
    *label = (struct label){.key = "", .unit = ""};
    for (struct wire_field field; next(decoder, &content, &field);) {
        if (field.number == PPROF_LABEL_KEY)
            label->key = string_at(decoder, field.value);
        else if (field.number == PPROF_LABEL_STR && field.value != 0)
            label->text = string_at(decoder, field.value);
        else if (field.number == PPROF_LABEL_NUM)
            label->number = (int64_t)field.value;
        else if (field.number == PPROF_LABEL_NUM_UNIT)
            label->unit = string_at(decoder, field.value);
    }
    return !decoder->reason;
}

/* Takes the numbers of one field, packed or single, to visit(). */
static bool each_number(struct decoder *decoder, struct wire_field *field, struct sample *sample,
                        bool (*visit)(struct decoder *, struct sample *, uint64_t))
{
    if (field->type != WIRE_BYTES)
        return visit(decoder, sample, field->value);
    for (uint64_t number; field->content.left_bytes > 0;) {
        if (!wire_take_varint(&field->content, &number))
            return fail(decoder, REASON_DAMAGED);
        if (!visit(decoder, sample, number))
            return false;
    }
    return true;
}

static bool put_location(struct decoder *decoder, struct sample *sample, uint64_t id)
{
    sample->locations[sample->depth++] = (uint32_t)index_of(decoder, &decoder->locations, id);
    return !decoder->reason;
}

static bool put_value(struct decoder *decoder, struct sample *sample, uint64_t value)
{
    sample->values[decoder->value_count++] = (int64_t)value;
    return true;
}

static bool decode_sample_field(struct decoder *decoder, struct sample *sample,
                                struct wire_field *field)
{
    if (field->number == PPROF_SAMPLE_LOCATION)
        return each_number(decoder, field, sample, put_location);
    if (field->number == PPROF_SAMPLE_VALUE)
        return each_number(decoder, field, sample, put_value);
    if (field->number == PPROF_SAMPLE_LABEL && field->type == WIRE_BYTES)
        return decode_label(decoder, field->content, &sample->labels[sample->label_count++]);
    return true;
}

static bool decode_sample(struct decoder *decoder, struct wire_in content, size_t index)
{
    struct sample *sample = &decoder->profile->samples[index];
    size_t depth = count_of(decoder, content, PPROF_SAMPLE_LOCATION);
    if (count_of(decoder, content, PPROF_SAMPLE_VALUE) != decoder->profile->type_count)
        return fail(decoder, REASON_VALUES);
    sample->locations = reserve(decoder, depth, sizeof *sample->locations);
    sample->values = reserve(decoder, decoder->profile->type_count, sizeof *sample->values);
    sample->labels = reserve(decoder, count_messages(decoder, content, PPROF_SAMPLE_LABEL),
                             sizeof *sample->labels);
    if (decoder->reason)
        return false;
    decoder->value_count = 0;
    for (struct wire_field field; next(decoder, &content, &field);)
        if (!decode_sample_field(decoder, sample, &field))
            return false;
    return !decoder->reason;
}

/* The whole. */

/* Fields 1 to 6 are messages or strings: another wire type means that this is something else. */
static bool field_is_plausible(const struct wire_field *field)
{
    if (field->number >= FIELDS)
        return false;
    return field->number > PPROF_STRING_TABLE || field->type == WIRE_BYTES;
}

/* Walks the top level and counts. Newer writers may add fields; the first one must be a known one.
 */
static bool count_fields(struct decoder *decoder)
{
    struct wire_in in = decoder->input;
    bool first = true;
    for (struct wire_field field;; first = false) {
        enum wire_step step = wire_next(&in, &field);
        if (step == WIRE_END)
            return true;
        if (step == WIRE_BAD)
            return fail(decoder, decoder->counts[PPROF_SAMPLE_TYPE] ? REASON_TRUNCATED
                                                                    : REASON_NOT_A_PROFILE);
        if (!field_is_plausible(&field) && (first || field.number < FIELDS))
            return fail(decoder, REASON_NOT_A_PROFILE);
        if (field.number < FIELDS)
            decoder->counts[field.number] += 1;
    }
}

static bool decode_each(struct decoder *decoder, unsigned number, decode_fn decode)
{
    struct wire_in in = decoder->input;
    size_t index = 0;
    for (struct wire_field field; next(decoder, &in, &field);)
        if (field.number == number && !decode(decoder, field.content, index++))
            return false;
    return !decoder->reason;
}

static bool decode_strings(struct decoder *decoder)
{
    size_t count = decoder->counts[PPROF_STRING_TABLE];
    decoder->strings = reserve(decoder, count, sizeof *decoder->strings);
    if (!decoder->strings || !decode_each(decoder, PPROF_STRING_TABLE, decode_string))
        return false;
    decoder->string_count = count;
    return count > 0 || fail(decoder, REASON_NOT_A_PROFILE);
}

/* Makes room for all messages of the kinds that become arrays. */
static bool reserve_arrays(struct decoder *decoder)
{
    struct profile *profile = decoder->profile;
    const size_t *counts = decoder->counts;
    if (counts[PPROF_SAMPLE_TYPE] == 0)
        return fail(decoder, "not a heap profile: it has no sample types");
    if (counts[PPROF_SAMPLE_TYPE] > TYPES_MAX)
        return fail(decoder, "not a heap profile: it has over 64 sample types");
    profile->type_count = counts[PPROF_SAMPLE_TYPE];
    profile->sample_count = counts[PPROF_SAMPLE];
    profile->mapping_count = counts[PPROF_MAPPING];
    profile->location_count = counts[PPROF_LOCATION];
    profile->function_count = counts[PPROF_FUNCTION];
    profile->types = reserve(decoder, profile->type_count, sizeof *profile->types);
    profile->samples = reserve(decoder, profile->sample_count, sizeof *profile->samples);
    profile->mappings = reserve(decoder, profile->mapping_count, sizeof *profile->mappings);
    profile->locations = reserve(decoder, profile->location_count, sizeof *profile->locations);
    profile->functions = reserve(decoder, profile->function_count, sizeof *profile->functions);
    return !decoder->reason;
}

static bool decode_indexed(struct decoder *decoder, unsigned number, decode_fn decode,
                           struct id_map *map)
{
    return decode_each(decoder, number, decode) &&
           (id_map_index(map) || fail(decoder, REASON_TWICE));
}

static bool put_comment(struct decoder *decoder, struct sample *unused, uint64_t index)
{
    (void)unused;
    struct profile *profile = decoder->profile;
    profile->comments[profile->comment_count++] = string_at(decoder, index);
    return !decoder->reason;
}

static void decode_number(struct decoder *decoder, struct wire_field *field)
{
    struct profile *profile = decoder->profile;
    if (field->number == PPROF_DROP_FRAMES)
        profile->drop_frames = string_at(decoder, field->value);
    else if (field->number == PPROF_KEEP_FRAMES)
        profile->keep_frames = string_at(decoder, field->value);
    else if (field->number == PPROF_TIME_NANOS)
        profile->time_nanos = (int64_t)field->value;
    else if (field->number == PPROF_DURATION_NANOS)
        profile->duration_nanos = (int64_t)field->value;
    else if (field->number == PPROF_PERIOD)
        profile->period = (int64_t)field->value;
    else if (field->number == PPROF_PERIOD_TYPE)
        profile->period_type = value_type_of(decoder, field->content);
    else if (field->number == PPROF_COMMENT)
        each_number(decoder, field, NULL, put_comment);
    else if (field->number == PPROF_DEFAULT_SAMPLE_TYPE)
        profile->default_type = profile_type(profile, string_at(decoder, field->value));
}

/* The fields that are not arrays, and the comments. */
static bool decode_header(struct decoder *decoder)
{
    struct profile *profile = decoder->profile;
    profile->comments = reserve(decoder, count_of(decoder, decoder->input, PPROF_COMMENT),
                                sizeof *profile->comments);
    struct wire_in in = decoder->input;
    for (struct wire_field field; !decoder->reason && next(decoder, &in, &field);)
        decode_number(decoder, &field);
    if (profile->default_type == PROFILE_NONE)
        profile->default_type = (int)profile->type_count - 1; /* as pprof chooses */
    return !decoder->reason;
}

static bool decode_all(struct decoder *decoder)
{
    return count_fields(decoder) && decode_strings(decoder) && reserve_arrays(decoder) &&
           decode_each(decoder, PPROF_SAMPLE_TYPE, decode_type) && decode_header(decoder) &&
           decode_indexed(decoder, PPROF_MAPPING, decode_mapping, &decoder->mappings) &&
           decode_indexed(decoder, PPROF_FUNCTION, decode_function, &decoder->functions) &&
           decode_indexed(decoder, PPROF_LOCATION, decode_location, &decoder->locations) &&
           decode_each(decoder, PPROF_SAMPLE, decode_sample);
}

static struct profile *decode_raw(const void *bytes, size_t size_bytes, const char **reason)
{
    if (go_text_is(bytes, size_bytes))
        return go_text_decode(bytes, size_bytes, reason);
    *reason = size_bytes ? input_wrong_kind(bytes, size_bytes) : "empty profile";
    if (*reason)
        return NULL;
    struct profile *profile = profile_new();
    struct decoder decoder = {.profile = profile, .input = {bytes, size_bytes}};
    bool decoded = decode_all(&decoder);
    id_map_clear(&decoder.mappings);
    id_map_clear(&decoder.functions);
    id_map_clear(&decoder.locations);
    if (decoded)
        return profile;
    *reason = decoder.reason;
    profile_free(profile);
    return NULL;
}

struct profile *profile_decode(const void *bytes, size_t size_bytes, const char **reason)
{
    *reason = "empty file";
    if (size_bytes == 0)
        return NULL;
    if (!input_is_gzip(bytes, size_bytes))
        return decode_raw(bytes, size_bytes, reason);
    struct input unpacked;
    *reason = input_gunzip(&unpacked, bytes, size_bytes);
    if (*reason)
        return NULL;
    struct profile *profile = decode_raw(unpacked.bytes, unpacked.size_bytes, reason);
    input_free(&unpacked);
    return profile;
}
