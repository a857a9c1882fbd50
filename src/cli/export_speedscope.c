#include "export.h"

#include "memory.h"
#include "text_sink.h"
#include "token_table.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

/* Which samples a profile of the file is made of. */
enum speedscope_side { SIDE_ALL, SIDE_GROWN, SIDE_SHRUNK };

struct speedscope {
    const struct profile *profile;
    int type;
    struct sink *sink;
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

static bool frame_write(struct speedscope *self, const struct line *line)
{
    const struct function *function = &self->profile->functions[line->function];
    bool fresh = false;
    uint32_t token = frame_of(self, line, &fresh);
    if (!fresh)
        return true;
    bool written = text_write(self->sink, token == 0 ? "\n   {\"name\": " : ",\n   {\"name\": ") &&
                   text_json(self->sink, function->name);
    if (written && function->filename[0] != '\0')
        written =
            text_write(self->sink, ", \"file\": ") && text_json(self->sink, function->filename);
    if (written && line->line > 0)
        written = text_format(self->sink, ", \"line\": %lld", (long long)line->line);
    return written && text_write(self->sink, "}");
}

static bool frames_write(struct speedscope *self)
{
    const struct profile *profile = self->profile;
    bool written = text_write(self->sink, " \"shared\": {\"frames\": [");
    for (size_t i = 0; i < profile->location_count; i++)
        for (size_t k = 0; written && k < profile->locations[i].line_count; k++)
            written = frame_write(self, &profile->locations[i].lines[k]);
    return written && text_write(self->sink, "]},\n");
}

/* Root first. */
static bool stack_write(struct speedscope *self, const struct sample *sample)
{
    const char *separator = "[";
    bool written = true;
    for (size_t i = sample->depth; i-- > 0;) {
        const struct location *location = &self->profile->locations[sample->locations[i]];
        for (size_t k = location->line_count; written && k-- > 0;) {
            uint32_t frame = frame_of(self, &location->lines[k], NULL);
            written = text_format(self->sink, "%s%u", separator, frame);
            separator = ",";
        }
    }
    return written && text_write(self->sink, separator[0] == '[' ? "[]" : "]");
}

static bool samples_write(struct speedscope *self, enum speedscope_side side)
{
    const char *separator = "";
    bool written = text_write(self->sink, "\"samples\": [");
    for (size_t i = 0; written && i < self->profile->sample_count; i++) {
        if (weight_of(self, &self->profile->samples[i], side) == 0)
            continue;
        written =
            text_write(self->sink, separator) && stack_write(self, &self->profile->samples[i]);
        separator = ",\n    ";
    }
    return written && text_write(self->sink, "],\n   ");
}

/* Returns the sum of the weights. */
static int64_t weights_write(struct speedscope *self, enum speedscope_side side)
{
    const char *separator = "";
    int64_t total = 0;
    text_write(self->sink, "\"weights\": [");
    for (size_t i = 0; i < self->profile->sample_count; i++) {
        int64_t weight = weight_of(self, &self->profile->samples[i], side);
        if (weight == 0)
            continue;
        text_format(self->sink, "%s%lld", separator, (long long)weight);
        separator = ",";
        total = value_sum(total, weight);
    }
    text_write(self->sink, "],\n   ");
    return total;
}

static bool side_write(struct speedscope *self, enum speedscope_side side)
{
    static const char *const names[] = {"", " grown", " shrunk"};
    const struct value_type *type = &self->profile->types[self->type];
    char *name = memory_format("%s%s", type->type, names[side]);
    bool written = text_write(self->sink, "  {\"type\": \"sampled\", \"name\": ") &&
                   text_json(self->sink, name) &&
                   text_format(self->sink, ", \"unit\": \"%s\", \"startValue\": 0,\n   ",
                               strcmp(type->unit, "bytes") == 0 ? "bytes" : "none") &&
                   samples_write(self, side);
    free(name);
    if (!written)
        return false;
    int64_t total = weights_write(self, side);
    return text_format(self->sink, "\"endValue\": %lld}", (long long)total);
}

static bool is_diff(const struct profile *profile)
{
    for (size_t i = 0; i < profile->sample_count; i++)
        if (profile->samples[i].base != NULL)
            return true;
    return false;
}

bool export_speedscope(const struct profile *profile, int type, struct sink *sink)
{
    struct speedscope self = {.profile = profile, .type = type, .sink = sink};
    bool written =
        text_write(sink,
                   "{\n \"$schema\": \"https://www.speedscope.app/file-format-schema.json\",\n"
                   " \"exporter\": \"heapdiff " HEAPDIFF_VERSION "\",\n"
                   " \"activeProfileIndex\": 0,\n") &&
        frames_write(&self) && text_write(sink, " \"profiles\": [\n");
    if (is_diff(profile))
        written = written && side_write(&self, SIDE_GROWN) && text_write(sink, ",\n") &&
                  side_write(&self, SIDE_SHRUNK);
    else
        written = written && side_write(&self, SIDE_ALL);
    token_table_clear(&self.frames);
    return written && text_write(sink, "\n ]\n}\n");
}
