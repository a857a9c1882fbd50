#include "diff.h"

#include "diff_code.h"
#include "diff_estimate.h"
#include "cli/ground/memory.h"
#include "cli/ground/value.h"
#include "cli/symbol/symbol.h"
#include "format/pprof.h"

#include <stdlib.h>
#include <string.h>

/* The merge under way. Samples of the result have the index of their key's token. */
struct merge {
    struct profile *base, *fresh, *result;
    struct diff_objects objects;
    struct diff_keys keys;
    int *types[DIFF_SIDES]; /* of each type of the result, its index on that side */
    double *scale;          /* of each type, for the fresh side's values */
    struct diff_estimates estimates;
    struct diff_code code;
};

/* Sample types. */

static int same_type(const struct profile *profile, const struct value_type *type)
{
    int index = profile_type(profile, type->type);
    bool same = index != PROFILE_NONE && strcmp(profile->types[index].unit, type->unit) == 0;
    return same ? index : PROFILE_NONE;
}

/* Keeps the types of the fresh side that the base has too; false when there are none. */
static bool match_types(struct merge *merge)
{
    struct profile *result = merge->result;
    const struct profile *fresh = merge->fresh;
    for (enum diff_side side = DIFF_BASE; side < DIFF_SIDES; side++)
        merge->types[side] = memory_zeroed(fresh->type_count, sizeof *merge->types[side]);
    result->types = profile_alloc(result, fresh->type_count, sizeof *result->types);
    result->default_type = PROFILE_NONE;
    for (size_t i = 0; i < fresh->type_count; i++) {
        int base = same_type(merge->base, &fresh->types[i]);
        if (base == PROFILE_NONE)
            continue;
        size_t at = result->type_count++;
        merge->types[DIFF_BASE][at] = base;
        merge->types[DIFF_FRESH][at] = (int)i;
        result->types[at].type = profile_text(result, fresh->types[i].type);
        result->types[at].unit = profile_text(result, fresh->types[i].unit);
        if ((int)i == fresh->default_type)
            result->default_type = (int)at;
    }
    if (result->default_type == PROFILE_NONE)
        result->default_type = (int)result->type_count - 1;
    return result->type_count > 0;
}

static double sum_of(const struct profile *profile, int type)
{
    int64_t sum = 0;
    for (size_t i = 0; i < profile->sample_count; i++)
        sum = value_sum(sum, profile->samples[i].values[type]);
    return (double)sum;
}

static void choose_scale(struct merge *merge, bool normalize)
{
    merge->scale = memory_zeroed(merge->result->type_count, sizeof *merge->scale);
    for (size_t i = 0; i < merge->result->type_count; i++) {
        merge->scale[i] = 1;
        if (!normalize)
            continue;
        double fresh = sum_of(merge->fresh, merge->types[DIFF_FRESH][i]);
        merge->scale[i] = fresh == 0 ? 0 : sum_of(merge->base, merge->types[DIFF_BASE][i]) / fresh;
    }
}

/* Samples. */

static void copy_labels(struct profile *result, struct sample *copy, const struct sample *sample)
{
    copy->label_count = sample->label_count;
    copy->labels = profile_alloc(result, sample->label_count, sizeof *copy->labels);
    for (size_t i = 0; i < sample->label_count; i++) {
        copy->labels[i] = sample->labels[i];
        copy->labels[i].key = profile_text(result, sample->labels[i].key);
        copy->labels[i].unit = profile_text(result, sample->labels[i].unit);
        if (sample->labels[i].text)
            copy->labels[i].text = profile_text(result, sample->labels[i].text);
    }
}

static struct sample *put_sample(struct merge *merge, enum diff_side side,
                                 const struct sample *sample)
{
    struct profile *result = merge->result;
    struct sample *copy = &result->samples[result->sample_count++];
    copy->depth = sample->depth;
    copy->locations = profile_alloc(result, sample->depth, sizeof *copy->locations);
    copy->values = profile_alloc(result, result->type_count, sizeof *copy->values);
    copy->base = profile_alloc(result, result->type_count, sizeof *copy->base);
    diff_estimates_begin(&merge->estimates, result, copy);
    for (size_t i = 0; i < sample->depth; i++)
        copy->locations[i] = side == DIFF_FRESH
                                 ? sample->locations[i]
                                 : diff_code_import(&merge->code, sample->locations[i]);
    copy_labels(result, copy, sample);
    return copy;
}

static void add_values(struct merge *merge, enum diff_side side, struct sample *into,
                       const struct sample *sample)
{
    for (size_t i = 0; i < merge->result->type_count; i++) {
        int64_t value = sample->values[merge->types[side][i]];
        if (side == DIFF_FRESH) {
            into->values[i] = value_sum(into->values[i], value);
        } else {
            into->values[i] = value_difference(into->values[i], value);
            into->base[i] = value_sum(into->base[i], value);
        }
    }
    diff_estimates_add(&merge->estimates, side, into, sample);
}

static void scale_sample(const struct merge *merge, struct sample *sample)
{
    for (size_t type = 0; type < merge->result->type_count; type++) {
        double scale = merge->scale[type];
        if (scale == 1)
            continue;
        sample->values[type] = value_scaled(sample->values[type], scale);
        diff_estimates_scale(&merge->estimates, sample, type, scale);
    }
}

/* Scales the fresh side, once equal stacks are one: their sum is rounded, not each. */
static void scale_samples(struct merge *merge)
{
    for (size_t i = 0; i < merge->result->sample_count; i++)
        scale_sample(merge, &merge->result->samples[i]);
}

static void add_side(struct merge *merge, enum diff_side side, const struct profile *profile)
{
    for (size_t i = 0; i < profile->sample_count; i++) {
        const struct sample *sample = &profile->samples[i];
        bool is_new;
        uint32_t token = diff_key_of(&merge->keys, side, sample, &is_new);
        struct sample *into =
            is_new ? put_sample(merge, side, sample) : &merge->result->samples[token];
        add_values(merge, side, into, sample);
    }
}

/* The rest. */

static void copy_header(struct profile *result, const struct profile *fresh)
{
    result->comment_count = fresh->comment_count;
    result->comments = profile_alloc(result, fresh->comment_count, sizeof *result->comments);
    for (size_t i = 0; i < fresh->comment_count; i++)
        result->comments[i] = profile_text(result, fresh->comments[i]);
    result->period_type.type = profile_text(result, fresh->period_type.type);
    result->period_type.unit = profile_text(result, fresh->period_type.unit);
    result->period = fresh->period;
    result->time_nanos = fresh->time_nanos;
    result->duration_nanos = fresh->duration_nanos;
    result->drop_frames = profile_text(result, fresh->drop_frames);
    result->keep_frames = profile_text(result, fresh->keep_frames);
}

static bool is_rebuilt_anywhere(const struct diff_objects *objects)
{
    for (uint32_t i = 0; i < objects->names.count; i++)
        if (objects->objects[i].rebuilt)
            return true;
    return false;
}

static enum diff_match match_of(const struct diff_objects *objects)
{
    bool by_address = false;
    for (uint32_t i = 0; i < objects->names.count; i++) {
        const struct diff_object *object = &objects->objects[i];
        by_address |=
            !object->rebuilt && !object->no_file && object->on[DIFF_BASE] && object->on[DIFF_FRESH];
    }
    if (!is_rebuilt_anywhere(objects))
        return DIFF_MATCH_ADDRESS;
    return by_address ? DIFF_MATCH_MIXED : DIFF_MATCH_FUNCTION;
}

static bool same_fact(const struct profile *base, const struct profile *fresh, const char *key)
{
    const char *old = profile_fact(base, key), *now = profile_fact(fresh, key);
    return old && now ? strcmp(old, now) == 0 : old == now;
}

static bool same_process(const struct profile *base, const struct profile *fresh)
{
    return same_fact(base, fresh, PPROF_FACT_PID) && same_fact(base, fresh, PPROF_FACT_START_TIME);
}

static void merge_samples(struct merge *merge)
{
    struct profile *base = merge->base, *fresh = merge->fresh;
    diff_keys_open(&merge->keys, &merge->objects, base, fresh, same_process(base, fresh));
    copy_header(merge->result, fresh);
    merge->code = (struct diff_code){
        .base = base, .fresh = fresh, .result = merge->result, .keys = &merge->keys};
    diff_code_copy(&merge->code);
    diff_code_index(&merge->code);
    merge->result->samples = profile_alloc(merge->result, base->sample_count + fresh->sample_count,
                                           sizeof *merge->result->samples);
    add_side(merge, DIFF_FRESH, fresh);
    scale_samples(merge);
    add_side(merge, DIFF_BASE, base);
}

static void merge_clear(struct merge *merge)
{
    diff_keys_clear(&merge->keys);
    diff_objects_clear(&merge->objects);
    free(merge->types[DIFF_BASE]);
    free(merge->types[DIFF_FRESH]);
    diff_estimates_clear(&merge->estimates);
    free(merge->scale);
    diff_code_clear(&merge->code);
}

struct profile *profile_diff(struct profile *base, struct profile *fresh,
                             const struct diff_options *options, enum diff_match *match,
                             const char **reason)
{
    struct merge merge = {.base = base, .fresh = fresh, .result = profile_new()};
    *reason = NULL;
    diff_objects_open(&merge.objects, base, fresh);
    if (!match_types(&merge))
        *reason = "no sample type in common with the base profile";
    else if (!diff_objects_related(&merge.objects))
        *reason = "of another program than the base profile";
    if (!*reason) {
        if (is_rebuilt_anywhere(&merge.objects)) {
            symbolize(base);
            symbolize(fresh);
        }
        diff_objects_compare(&merge.objects, base, fresh);
        choose_scale(&merge, options->normalize);
        diff_estimates_open(&merge.estimates, base, fresh, merge.types, merge.result->type_count);
        merge_samples(&merge);
        if (!options->normalize)
            diff_estimates_tighten(&merge.estimates, merge.result);
        *match = match_of(&merge.objects);
    }
    merge_clear(&merge);
    if (!*reason)
        return merge.result;
    profile_free(merge.result);
    return NULL;
}
