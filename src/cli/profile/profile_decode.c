/*
 * profile.proto decoded. The messages name each other by ids and by indexes into a string table
 * that usually comes last, so the top level is walked several times: once to count and to check its
 * framing, then once for each kind of message, referred-to kinds first.
 */
#include "profile.h"

#include "decode_code.h"
#include "decode_sample.h"
#include "decoder.h"
#include "input.h"
#include "cli/go/go_text.h"

enum { TYPES_MAX = 64 /* a value each per sample; the most seen in the wild is 7 */ };

static const char REASON_NOT_A_PROFILE[] = "not a profile";
static const char REASON_TRUNCATED[] = "truncated or damaged profile";
static const char REASON_TWICE[] = "damaged profile: an id occurs twice";

/* Decodes one message into place `index` of its kind; false with decoder->reason set. */
typedef bool (*decode_fn)(struct decoder *decoder, struct wire_in content, size_t index);

/* Messages. */

static bool decode_string(struct decoder *decoder, struct wire_in content, size_t index)
{
    decoder->strings[index] = decoder_text(decoder, content);
    if (!decoder->strings[index])
        return false;
    return index > 0 || content.left_bytes == 0 || decoder_fail(decoder, REASON_NOT_A_PROFILE);
}

static struct value_type value_type_of(struct decoder *decoder, struct wire_in content)
{
    struct value_type type = {"", ""};
    for (struct wire_field field; decoder_next(decoder, &content, &field);) {
        if (field.number == PPROF_VALUE_TYPE_TYPE)
            type.type = decoder_string(decoder, field.value);
        else if (field.number == PPROF_VALUE_TYPE_UNIT)
            type.unit = decoder_string(decoder, field.value);
    }
    return type;
}

static bool decode_type(struct decoder *decoder, struct wire_in content, size_t index)
{
    decoder->profile->types[index] = value_type_of(decoder, content);
    return !decoder->reason;
}

/* The whole. */

/* Fields 1 to 6 are messages or strings: another wire type means that this is something else. */
static bool field_is_plausible(const struct wire_field *field)
{
    if (field->number >= DECODER_FIELDS)
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
            return decoder_fail(decoder, decoder->counts[PPROF_SAMPLE_TYPE] ? REASON_TRUNCATED
                                                                            : REASON_NOT_A_PROFILE);
        if (!field_is_plausible(&field) && (first || field.number < DECODER_FIELDS))
            return decoder_fail(decoder, REASON_NOT_A_PROFILE);
        if (field.number < DECODER_FIELDS)
            decoder->counts[field.number] += 1;
    }
}

static bool decode_each(struct decoder *decoder, unsigned number, decode_fn decode)
{
    struct wire_in in = decoder->input;
    size_t index = 0;
    for (struct wire_field field; decoder_next(decoder, &in, &field);)
        if (field.number == number && !decode(decoder, field.content, index++))
            return false;
    return !decoder->reason;
}

static bool decode_strings(struct decoder *decoder)
{
    size_t count = decoder->counts[PPROF_STRING_TABLE];
    decoder->strings = decoder_reserve(decoder, count, sizeof *decoder->strings);
    if (!decoder->strings || !decode_each(decoder, PPROF_STRING_TABLE, decode_string))
        return false;
    decoder->string_count = count;
    return count > 0 || decoder_fail(decoder, REASON_NOT_A_PROFILE);
}

/* Makes room for all messages of the kinds that become arrays. */
static bool reserve_arrays(struct decoder *decoder)
{
    struct profile *profile = decoder->profile;
    const size_t *counts = decoder->counts;
    if (counts[PPROF_SAMPLE_TYPE] == 0)
        return decoder_fail(decoder, "not a heap profile: it has no sample types");
    if (counts[PPROF_SAMPLE_TYPE] > TYPES_MAX)
        return decoder_fail(decoder, "not a heap profile: it has over 64 sample types");
    profile->type_count = counts[PPROF_SAMPLE_TYPE];
    profile->sample_count = counts[PPROF_SAMPLE];
    profile->mapping_count = counts[PPROF_MAPPING];
    profile->location_count = counts[PPROF_LOCATION];
    profile->function_count = counts[PPROF_FUNCTION];
    profile->types = decoder_reserve(decoder, profile->type_count, sizeof *profile->types);
    profile->samples = decoder_reserve(decoder, profile->sample_count, sizeof *profile->samples);
    profile->mappings = decoder_reserve(decoder, profile->mapping_count, sizeof *profile->mappings);
    profile->locations =
        decoder_reserve(decoder, profile->location_count, sizeof *profile->locations);
    profile->functions =
        decoder_reserve(decoder, profile->function_count, sizeof *profile->functions);
    return !decoder->reason;
}

static bool decode_indexed(struct decoder *decoder, unsigned number, decode_fn decode,
                           struct id_map *map)
{
    return decode_each(decoder, number, decode) &&
           (id_map_index(map) || decoder_fail(decoder, REASON_TWICE));
}

static bool put_comment(struct decoder *decoder, struct sample *unused, uint64_t index)
{
    (void)unused;
    struct profile *profile = decoder->profile;
    profile->comments[profile->comment_count++] = decoder_string(decoder, index);
    return !decoder->reason;
}

static void decode_number(struct decoder *decoder, struct wire_field *field)
{
    struct profile *profile = decoder->profile;
    if (field->number == PPROF_DROP_FRAMES)
        profile->drop_frames = decoder_string(decoder, field->value);
    else if (field->number == PPROF_KEEP_FRAMES)
        profile->keep_frames = decoder_string(decoder, field->value);
    else if (field->number == PPROF_TIME_NANOS)
        profile->time_nanos = (int64_t)field->value;
    else if (field->number == PPROF_DURATION_NANOS)
        profile->duration_nanos = (int64_t)field->value;
    else if (field->number == PPROF_PERIOD)
        profile->period = (int64_t)field->value;
    else if (field->number == PPROF_PERIOD_TYPE)
        profile->period_type = value_type_of(decoder, field->content);
    else if (field->number == PPROF_COMMENT)
        decoder_each_number(decoder, field, NULL, put_comment);
    else if (field->number == PPROF_DEFAULT_SAMPLE_TYPE)
        profile->default_type = profile_type(profile, decoder_string(decoder, field->value));
}

/* The fields that are not arrays, and the comments. */
static bool decode_header(struct decoder *decoder)
{
    struct profile *profile = decoder->profile;
    profile->comments = decoder_reserve(
        decoder, decoder_count(decoder, decoder->input, PPROF_COMMENT), sizeof *profile->comments);
    struct wire_in in = decoder->input;
    for (struct wire_field field; !decoder->reason && decoder_next(decoder, &in, &field);)
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
