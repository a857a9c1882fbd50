#include "small_profile.h"

#include "cli/ground/pool.h"

#include <stdlib.h>

static void functions_add(struct profile *profile)
{
    static const struct function functions[] = {{"main", "main", "/src/main.c", 10},
                                                {"outer", "_Z5outerv", "/src/outer.cc", 20},
                                                {"inner", "_Z5innerv", "/src/inner.h", 30},
                                                {"a;b", "a;b", "", 0}};
    profile->function_count = 4;
    profile->functions = profile_alloc(profile, 4, sizeof(functions[0]));
    for (size_t i = 0; i < 4; i++)
        profile->functions[i] = functions[i];
}

static void locations_add(struct profile *profile)
{
    static const struct line lines[] = {{0, 11}, {2, 31}, {1, 21}, {3, 0}};
    static const struct location locations[] = {{0x401000, 0, false, 1, NULL},
                                                {0x402000, 0, false, 2, NULL},
                                                {0x7f0000001000, 1, true, 1, NULL}};
    static const size_t first_line[] = {0, 1, 3};
    profile->location_count = 3;
    profile->locations = profile_alloc(profile, 3, sizeof(locations[0]));
    for (size_t i = 0; i < 3; i++) {
        struct location *location = &profile->locations[i];
        *location = locations[i];
        location->lines = profile_alloc(profile, location->line_count, sizeof(lines[0]));
        for (size_t k = 0; k < location->line_count; k++)
            location->lines[k] = lines[first_line[i] + k];
    }
}

static void sample_add(struct profile *profile, uint32_t leaf, int64_t objects, int64_t bytes)
{
    struct sample *sample = &profile->samples[profile->sample_count++];
    sample->depth = 2;
    sample->locations = profile_alloc(profile, 2, sizeof(sample->locations[0]));
    sample->locations[0] = leaf;
    sample->values = profile_alloc(profile, 2, sizeof(sample->values[0]));
    sample->values[0] = objects;
    sample->values[1] = bytes;
}

static void labels_add(struct profile *profile, struct sample *sample)
{
    sample->label_count = 2;
    sample->labels = profile_alloc(profile, 2, sizeof(sample->labels[0]));
    sample->labels[0] = (struct label){"mem_kind", "malloc", 0, ""};
    sample->labels[1] = (struct label){"size", NULL, 4096, "bytes"};
}

static void base_add(struct profile *profile, struct sample *sample, int64_t objects, int64_t bytes)
{
    sample->base = profile_alloc(profile, 2, sizeof(sample->base[0]));
    sample->base[0] = objects;
    sample->base[1] = bytes;
}

static void head_add(struct profile *profile)
{
    profile->type_count = 2;
    profile->types = profile_alloc(profile, 2, sizeof(struct value_type));
    profile->types[0] = (struct value_type){"inuse_objects", "count"};
    profile->types[1] = (struct value_type){"inuse_space", "bytes"};
    profile->default_type = 1;
    profile->period_type = (struct value_type){"space", "bytes"};
    profile->period = 1;
    profile->time_nanos = 1700000000000000000;
    profile->duration_nanos = 5000000000;
    profile->drop_frames = "malloc";
    profile->keep_frames = "";
    profile->comment_count = 2;
    profile->comments = profile_alloc(profile, 2, sizeof(char *));
    profile->comments[0] = "heapdiff.pid: 7";
    profile->comments[1] = "by hand";
}

struct profile *small_profile(bool diff)
{
    struct profile *profile = calloc(1, sizeof(*profile));
    profile->pool = pool_new();
    head_add(profile);
    profile->mapping_count = 2;
    profile->mappings = profile_alloc(profile, 2, sizeof(struct mapping));
    profile->mappings[0] =
        (struct mapping){0x400000, 0x500000, 0, "/bin/app", "00ff", true, true, true, true};
    profile->mappings[1] = (struct mapping){0x7f0000000000, 0x7f0000002000, 0x1000, "[vdso]", "",
                                            false,          false,          false,  false};
    functions_add(profile);
    locations_add(profile);
    profile->samples = profile_alloc(profile, 2, sizeof(struct sample));
    sample_add(profile, 1, diff ? -1 : 2, diff ? -50 : 100);
    sample_add(profile, 2, 1, 20);
    labels_add(profile, &profile->samples[0]);
    if (diff) {
        base_add(profile, &profile->samples[0], 3, 150);
        base_add(profile, &profile->samples[1], 0, 0);
    }
    return profile;
}
