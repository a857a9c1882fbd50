#include "decoder.h"

#include "cli/ground/pool.h"

/* What decoding may need: hostile input grows by up to 28 times, real profiles by about 3. */
#define DECODED_BYTES_MAX ((size_t)4 << 30)

static const char REASON_DAMAGED[] = "damaged profile: a message does not decode";
static const char REASON_STRING[] = "damaged profile: a string is missing from its table";
static const char REASON_REFERENCE[] = "damaged profile: a sample or location refers to nothing";
static const char REASON_MEMORY[] = "needs more than 4 GiB of memory: not a heap profile";

bool decoder_fail(struct decoder *decoder, const char *reason)
{
    if (!decoder->reason)
        decoder->reason = reason;
    return false;
}

bool decoder_damaged(struct decoder *decoder)
{
    return decoder_fail(decoder, REASON_DAMAGED);
}

void *decoder_reserve(struct decoder *decoder, size_t count, size_t each_bytes)
{
    size_t size_bytes;
    if (__builtin_mul_overflow(count, each_bytes, &size_bytes) || size_bytes > DECODED_BYTES_MAX ||
        pool_bytes(decoder->profile->pool) > DECODED_BYTES_MAX - size_bytes) {
        decoder_fail(decoder, REASON_MEMORY);
        return NULL;
    }
    return profile_alloc(decoder->profile, count, each_bytes);
}

const char *decoder_text(struct decoder *decoder, struct wire_in content)
{
    struct pool *pool = decoder->profile->pool;
    if (content.left_bytes > DECODED_BYTES_MAX - pool_bytes(pool)) {
        decoder_fail(decoder, REASON_MEMORY);
        return NULL;
    }
    return pool_text(pool, (const char *)content.at, content.left_bytes);
}

const char *decoder_no_string(struct decoder *decoder)
{
    decoder_fail(decoder, REASON_STRING);
    return "";
}

int decoder_index(struct decoder *decoder, const struct id_map *map, uint64_t id)
{
    int index = id_map_find(map, id);
    if (index < 0)
        decoder_fail(decoder, REASON_REFERENCE);
    return index;
}

size_t decoder_count(struct decoder *decoder, struct wire_in content, unsigned number)
{
    size_t count = 0;
    for (struct wire_field field; decoder_next(decoder, &content, &field);) {
        if (field.number != number)
            continue;
        if (field.type != WIRE_BYTES)
            count++;
        for (size_t i = 0; i < field.content.left_bytes; i++)
            count += field.content.at[i] < 0x80; /* the last byte of a varint */
    }
    return count;
}

size_t decoder_count_messages(struct decoder *decoder, struct wire_in content, unsigned number)
{
    size_t count = 0;
    for (struct wire_field field; decoder_next(decoder, &content, &field);)
        count += field.number == number && field.type == WIRE_BYTES;
    return count;
}
