#include "export.h"

#include "cli/ground/json.h"
#include "cli/ground/memory.h"
#include "cli/ground/value.h"
#include "cli/profile/token_table.h"

#include <stdlib.h>
#include <string.h>

enum { LINES_DEPTH = 3 /* a frame is a line, a profile some */ };

/* Which samples a profile of the file is made of. */
enum speedscope_side { SIDE_ALL, SIDE_GROWN, SIDE_SHRUNK };

struct speedscope {
    const struct profile *profile;
    int type;
    struct json json;
    struct token_table frames; /* a frame's token is its index in the file */
};

/* The weight of a sample on a side; 0 when it does not belong there. */
static int64_t weight_of(const struct speedscope *self, const struct sample *sample,
                         enum speedscope_side side)
{
    int64_t value = sample->values[self->type];
    if (side == SIDE_SHRUNK)
        return value < 0 ? value_magnitude(value) : 0;
    return value > 0 ? value : 0;
}

/* The frame of a function and line; *fresh tells whether it is met first. */
static uint32_t frame_of(struct speedscope *self, const struct line *line, bool *fresh)
{
    const int64_t key[] = {line->function, line->line}; /* a struct line has padding */
    return token_of(&self->frames, key, sizeof(key), fresh);
}

static void put_frame(struct speedscope *self, const struct line *line)
{
    const struct function *function = &self->profile->functions[line->function];
    bool fresh = false;
    frame_of(self, line, &fresh);
    if (!fresh)
        return;
    json_open(&self->json, NULL, '{');
    json_text(&self->json, "name", function->name);
    if (function->filename[0] != '\0')
        json_text(&self->json, "file", function->filename);
    if (line->line > 0)
        json_number(&self->json, "line", line->line);
    json_close(&self->json, '}');
}

static void put_frames(struct speedscope *self)
{
    const struct profile *profile = self->profile;
    json_open(&self->json, "shared", '{');
    json_open(&self->json, "frames", '[');
    for (size_t i = 0; i < profile->location_count; i++)
        for (size_t k = 0; k < profile->locations[i].line_count; k++)
            put_frame(self, &profile->locations[i].lines[k]);
    json_close(&self->json, ']');
    json_close(&self->json, '}');
}

/* Root first. */
static void put_stack(struct speedscope *self, const struct sample *sample)
{
    json_open(&self->json, NULL, '[');
    for (size_t i = sample->depth; i-- > 0;) {
        const struct location *location = &self->profile->locations[sample->locations[i]];
        for (size_t k = location->line_count; k-- > 0;)
            json_number(&self->json, NULL, frame_of(self, &location->lines[k], NULL));
    }
    json_close(&self->json, ']');
}

static void put_stacks(struct speedscope *self, enum speedscope_side side)
{
    json_open(&self->json, "samples", '[');
    for (size_t i = 0; i < self->profile->sample_count; i++)
        if (weight_of(self, &self->profile->samples[i], side) != 0)
            put_stack(self, &self->profile->samples[i]);
    json_close(&self->json, ']');
}

/* Returns their sum. */
static int64_t put_weights(struct speedscope *self, enum speedscope_side side)
{
    int64_t total = 0;
    json_open(&self->json, "weights", '[');
    for (size_t i = 0; i < self->profile->sample_count; i++) {
        int64_t weight = weight_of(self, &self->profile->samples[i], side);
        if (weight == 0)
            continue;
        json_number(&self->json, NULL, weight);
        total = value_sum(total, weight);
    }
    json_close(&self->json, ']');
    return total;
}

static void put_side(struct speedscope *self, enum speedscope_side side)
{
    static const char *const names[] = {"", " grown", " shrunk"};
    const struct value_type *type = &self->profile->types[self->type];
    char *name = memory_format("%s%s", type->type, names[side]);
    json_open(&self->json, NULL, '{');
    json_text(&self->json, "type", "sampled");
    json_text(&self->json, "name", name);
    json_text(&self->json, "unit", strcmp(type->unit, "bytes") == 0 ? "bytes" : "none");
    json_number(&self->json, "startValue", 0);
    put_stacks(self, side);
    json_number(&self->json, "endValue", put_weights(self, side));
    json_close(&self->json, '}');
    free(name);
}

static bool is_diff(const struct profile *profile)
{
    for (size_t i = 0; i < profile->sample_count; i++)
        if (profile->samples[i].base != NULL)
            return true;
    return false;
}

void export_speedscope(FILE *out, const struct profile *profile, int type)
{
    struct speedscope self = {.profile = profile,
                              .type = type,
                              .json = {.out = out, .lines_depth = LINES_DEPTH, .empty = true}};
    json_open(&self.json, NULL, '{');
    json_text(&self.json, "$schema", "https://www.speedscope.app/file-format-schema.json");
    json_text(&self.json, "exporter", "heapdiff " HEAPDIFF_VERSION);
    json_number(&self.json, "activeProfileIndex", 0);
    put_frames(&self);
    json_open(&self.json, "profiles", '[');
    if (is_diff(profile)) {
        put_side(&self, SIDE_GROWN);
        put_side(&self, SIDE_SHRUNK);
    } else {
        put_side(&self, SIDE_ALL);
    }
    json_close(&self.json, ']');
    json_close(&self.json, '}');
    token_table_clear(&self.frames);
}
