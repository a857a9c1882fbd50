#include "text_profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 256 };

static uint64_t hash(const char *text)
{
    uint64_t sum = 5381;
    for (; *text; text++)
        sum = (sum * 33 + (unsigned char)*text) % 0xffff;
    return sum;
}

static int function_index(struct profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->function_count; i++)
        if (strcmp(profile->functions[i].name, name) == 0)
            return (int)i;
    char file[200];
    snprintf(file, sizeof file, "/src/%.100s.c", name);
    profile->functions[profile->function_count] = (struct function){
        profile_text(profile, name), profile_text(profile, name), profile_text(profile, file), 1};
    return (int)profile->function_count++;
}

static void put_lines(struct profile *profile, struct location *location, char *frame)
{
    location->lines = profile_alloc(profile, 8, sizeof *location->lines);
    char *rest = NULL;
    for (char *name = strtok_r(frame, "/", &rest); name; name = strtok_r(NULL, "/", &rest))
        location->lines[location->line_count++] =
            (struct line){function_index(profile, name), 1 + (int64_t)(hash(name) % 100)};
}

static uint32_t location_index(struct profile *profile, const struct text_profile *text,
                               char *frame)
{
    uint64_t address = profile->mappings[0].start + text->shift + hash(frame);
    for (size_t i = 0; i < profile->location_count; i++)
        if (profile->locations[i].address == address)
            return (uint32_t)i;
    struct location *location = &profile->locations[profile->location_count];
    location->address = address;
    if (!text->nameless)
        put_lines(profile, location, frame);
    return (uint32_t)profile->location_count++;
}

static void put_sample(struct profile *profile, const struct text_profile *text, char *line)
{
    char kind[16] = "", *frames[64], *rest = NULL;
    long long objects, bytes;
    size_t depth = 0;
    char *space = line; /* the one before the numbers: names have spaces too */
    while ((space = strchr(space, ' ')) && !strchr("-0123456789", space[1]))
        space++;
    if (!space || sscanf(space, " %lld %lld %15s", &objects, &bytes, kind) < 2)
        abort();
    *space = '\0';
    for (char *frame = strtok_r(line, ";", &rest); frame; frame = strtok_r(NULL, ";", &rest))
        frames[depth++] = frame;
    struct sample *sample = &profile->samples[profile->sample_count++];
    sample->locations = profile_alloc(profile, depth, sizeof *sample->locations);
    sample->values = profile_alloc(profile, 2, sizeof *sample->values);
    sample->values[0] = objects;
    sample->values[1] = bytes;
    while (depth > 0)
        sample->locations[sample->depth++] = location_index(profile, text, frames[--depth]);
    if (!kind[0])
        return;
    sample->labels = profile_alloc(profile, 1, sizeof *sample->labels);
    sample->labels[sample->label_count++] =
        (struct label){"mem_kind", profile_text(profile, kind), 0, ""};
}

struct profile *text_profile(const struct text_profile *text)
{
    struct profile *profile = profile_new();
    profile->types = profile_alloc(profile, 2, sizeof *profile->types);
    profile->types[0] = (struct value_type){"inuse_objects", "count"};
    profile->types[1] = (struct value_type){"inuse_space", "bytes"};
    profile->type_count = 2;
    profile->default_type = 1;
    profile->mappings = profile_alloc(profile, 1, sizeof *profile->mappings);
    profile->mapping_count = 1;
    uint64_t start = text->start ? text->start : 0x1000;
    profile->mappings[0] = (struct mapping){.start = start,
                                            .limit = start + 0x100000,
                                            .offset = 0x200,
                                            .filename = text->file ? text->file : "/bin/app",
                                            .build_id = text->build_id ? text->build_id : "ab"};
    profile->functions = profile_alloc(profile, ENTRIES_MAX, sizeof *profile->functions);
    profile->locations = profile_alloc(profile, ENTRIES_MAX, sizeof *profile->locations);
    profile->samples = profile_alloc(profile, ENTRIES_MAX, sizeof *profile->samples);
    char *copy = strdup(text->stacks), *rest = NULL;
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        put_sample(profile, text, line);
    free(copy);
    return profile;
}
