#include "estimate.h"

#include "token_table.h"
#include "cli/ground/memory.h"
#include "cli/ground/value.h"

#include <stdlib.h>
#include <string.h>

/* The bytes by which two samples are the same. */
struct key {
    unsigned char *bytes;
    size_t size_bytes, room_bytes;
};

static void key_put(struct key *key, const void *bytes, size_t size_bytes)
{
    if (key->room_bytes - key->size_bytes < size_bytes) {
        key->room_bytes = 2 * (key->size_bytes + size_bytes);
        key->bytes = memory_resized(key->bytes, key->room_bytes, 1);
    }
    memcpy(key->bytes + key->size_bytes, bytes, size_bytes);
    key->size_bytes += size_bytes;
}

static void key_put_text(struct key *key, const char *text)
{
    key_put(key, text ? text : "", text ? strlen(text) + 1 : 1);
}

/* One program writes all labels in one order. */
static void key_of(struct key *key, const struct sample *sample)
{
    key->size_bytes = 0;
    key_put(key, &sample->depth, sizeof sample->depth);
    key_put(key, sample->locations, sample->depth * sizeof *sample->locations);
    for (size_t i = 0; i < sample->label_count; i++) {
        const struct label *label = &sample->labels[i];
        key_put_text(key, label->key);
        key_put_text(key, label->text);
        key_put(key, &label->number, sizeof label->number);
        key_put_text(key, label->unit);
    }
}

struct fold {
    struct profile *profile;
    struct estimate *estimates; /* by type */
    struct token_table samples;
    struct key key;
    size_t count; /* of what is left */
};

static void fold_sample(struct fold *fold, struct sample from)
{
    struct profile *profile = fold->profile;
    bool fresh;
    key_of(&fold->key, &from);
    struct sample *into =
        &profile->samples[token_of(&fold->samples, fold->key.bytes, fold->key.size_bytes, &fresh)];
    if (fresh) {
        *into = from;
        into->variances = profile_alloc(profile, profile->type_count, sizeof *into->variances);
        fold->count++;
    }
    for (size_t i = 0; i < profile->type_count; i++) {
        into->variances[i] += estimate_variance(&fold->estimates[i], &from);
        if (!fresh)
            into->values[i] = value_sum(into->values[i], from.values[i]);
    }
}

void estimate_fold(struct profile *profile)
{
    struct fold fold = {.profile = profile};
    if (estimate_period(profile) == 0)
        return;
    fold.estimates = memory_zeroed(profile->type_count, sizeof *fold.estimates);
    for (size_t i = 0; i < profile->type_count; i++)
        fold.estimates[i] = estimate_of(profile, (int)i);
    for (size_t i = 0; i < profile->sample_count; i++)
        fold_sample(&fold, profile->samples[i]);
    profile->sample_count = fold.count;
    token_table_clear(&fold.samples);
    free(fold.key.bytes);
    free(fold.estimates);
}
