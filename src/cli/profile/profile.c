#include "profile.h"

#include "input.h"
#include "cli/ground/memory.h"
#include "cli/ground/pool.h"
#include "format/pprof.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct profile *profile_load(const char *path, const char **reason)
{
    struct input input;
    struct profile *profile = NULL;
    *reason = input_read(&input, path);
    if (!*reason)
        profile = profile_decode(input.bytes, input.size_bytes, reason);
    input_free(&input);
    return profile;
}

struct profile *profile_new(void)
{
    struct profile *profile = memory_zeroed(1, sizeof *profile);
    profile->pool = pool_new();
    profile->period_type = (struct value_type){"", ""};
    profile->drop_frames = profile->keep_frames = "";
    profile->default_type = PROFILE_NONE;
    return profile;
}

void profile_free(struct profile *profile)
{
    if (!profile)
        return;
    pool_free(profile->pool);
    free(profile);
}

void *profile_alloc(struct profile *profile, size_t count, size_t each_bytes)
{
    return pool_alloc(profile->pool, count, each_bytes);
}

void profile_keep(struct profile *profile, const struct sample *samples,
                  const struct location *locations)
{
    profile->samples = profile_alloc(profile, profile->sample_count, sizeof(*samples));
    profile->locations = profile_alloc(profile, profile->location_count, sizeof(*locations));
    if (profile->sample_count > 0)
        memcpy(profile->samples, samples, profile->sample_count * sizeof(*samples));
    if (profile->location_count > 0)
        memcpy(profile->locations, locations, profile->location_count * sizeof(*locations));
}

const char *profile_text(struct profile *profile, const char *text)
{
    return pool_text(profile->pool, text, strlen(text));
}

/* What follows "heapdiff.KEY: " in `comment`, or NULL. */
static const char *fact_value(const char *comment, const char *key)
{
    size_t prefix_bytes = strlen(PPROF_FACT_PREFIX), key_bytes = strlen(key);
    if (strncmp(comment, PPROF_FACT_PREFIX, prefix_bytes) != 0 ||
        strncmp(comment + prefix_bytes, key, key_bytes) != 0)
        return NULL;
    const char *rest = comment + prefix_bytes + key_bytes;
    return strncmp(rest, ": ", 2) == 0 ? rest + 2 : NULL;
}

const char *profile_fact(const struct profile *profile, const char *key)
{
    for (size_t i = 0; i < profile->comment_count; i++) {
        const char *value = fact_value(profile->comments[i], key);
        if (value)
            return value;
    }
    return NULL;
}

int64_t profile_fact_number(const struct profile *profile, const char *key, int64_t fallback)
{
    const char *text = profile_fact(profile, key);
    if (!text)
        return fallback;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    return errno || end == text || *end ? fallback : number;
}

int profile_type(const struct profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->type_count; i++)
        if (strcmp(profile->types[i].type, name) == 0)
            return (int)i;
    return PROFILE_NONE;
}

int profile_type_meant(const struct profile *profile, const char *name)
{
    int found = profile_type(profile, name);
    size_t length = strlen(name);
    if (found != PROFILE_NONE || length == 0)
        return found;
    if (strspn(name, "0123456789") == length)
        return length < 5 && strtoul(name, NULL, 10) < profile->type_count ? atoi(name)
                                                                           : PROFILE_NONE;
    for (size_t i = 0; i < profile->type_count; i++) {
        if (strncmp(profile->types[i].type, name, length) != 0)
            continue;
        if (found != PROFILE_NONE)
            return PROFILE_NONE;
        found = (int)i;
    }
    return found;
}

char *profile_types_text(const struct profile *profile)
{
    char *list = memory_format("%s", "");
    for (size_t i = 0; i < profile->type_count; i++) {
        char *longer = memory_format("%s%s%s", list, i > 0 ? ", " : "", profile->types[i].type);
        free(list);
        list = longer;
    }
    return list;
}

size_t mapping_path_bytes(const char *path)
{
    static const char mark[] = " (deleted)";
    size_t length = strlen(path), mark_bytes = sizeof mark - 1;
    bool marked = length > mark_bytes && strcmp(path + length - mark_bytes, mark) == 0;
    return marked ? length - mark_bytes : length;
}

const char *sample_label(const struct sample *sample, const char *key)
{
    for (size_t i = 0; i < sample->label_count; i++)
        if (sample->labels[i].text && strcmp(sample->labels[i].key, key) == 0)
            return sample->labels[i].text;
    return NULL;
}
