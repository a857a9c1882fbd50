/*
 * decoder.h - what decoding a message of profile.proto needs.
 *
 * What it is: the profile being made, the tables that messages refer to each other by, how much memory may be
 *   taken, and the first thing that was wrong: nothing of a file is believed.
 * Owns: its tables, which profile_decode() frees. Context: cli. Not here: messages (decode_*.h).
 */
#ifndef HEAPDIFF_CLI_DECODER_H
#define HEAPDIFF_CLI_DECODER_H

#include "id_map.h"
#include "profile.h"
#include "format/pprof.h"
#include "format/wire.h"

enum { DECODER_FIELDS = PPROF_DOC_URL + 1 };

struct decoder {
    struct profile *profile;
    struct wire_in input;
    size_t counts[DECODER_FIELDS]; /* messages, and entries of packed lists, of each field */
    size_t string_count;           /* decoded so far */
    const char **strings;
    size_t value_count; /* of the sample being decoded, so far */
    struct id_map mappings, functions, locations;
    const char *reason; /* the first failure; NULL: none */
};

/* Both return false, with reason set where there was none; damaged: a message does not decode. */
bool decoder_fail(struct decoder *decoder, const char *reason);
bool decoder_damaged(struct decoder *decoder);

/* The next field of a message; false at its end, and when it does not decode (reason set). */
static inline bool decoder_next(struct decoder *decoder, struct wire_in *in,
                                struct wire_field *field)
{
    enum wire_step step = wire_next(in, field);
    if (step == WIRE_BAD)
        decoder_damaged(decoder);
    return step == WIRE_FIELD;
}

/* Zeroed memory of the profile; a text of it. NULL when the input asks for too much (reason set). */
void *decoder_reserve(struct decoder *decoder, size_t count, size_t each_bytes);
const char *decoder_text(struct decoder *decoder, struct wire_in content);

/* A string of the table, "" with reason set where there is none. */
const char *decoder_no_string(struct decoder *decoder);
static inline const char *decoder_string(struct decoder *decoder, uint64_t index)
{
    return index < decoder->string_count ? decoder->strings[index] : decoder_no_string(decoder);
}

/* The index of `id`, or PROFILE_NONE with reason set. */
int decoder_index(struct decoder *decoder, const struct id_map *map, uint64_t id);

/* Fields `number` in `content`: entries of packed lists count one by one, or only messages do. */
size_t decoder_count(struct decoder *decoder, struct wire_in content, unsigned number);
size_t decoder_count_messages(struct decoder *decoder, struct wire_in content, unsigned number);

/* Takes the numbers of one field, packed or single, to visit(). Here, so that it is compiled into its callers. */
static inline bool decoder_each_number(struct decoder *decoder, struct wire_field *field,
                                       struct sample *sample,
                                       bool (*visit)(struct decoder *, struct sample *, uint64_t))
{
    if (field->type != WIRE_BYTES)
        return visit(decoder, sample, field->value);
    for (uint64_t number; field->content.left_bytes > 0;) {
        if (!wire_take_varint(&field->content, &number))
            return decoder_damaged(decoder);
        if (!visit(decoder, sample, number))
            return false;
    }
    return true;
}

#endif
