#include "export.h"

#include "cli/ground/memory.h"
#include "cli/ground/message.h"
#include "cli/ground/output.h"
#include "cli/profile/token_table.h"
#include "format/pprof_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct exporter {
    const struct profile *profile;
    struct pprof_out out;
    struct token_table strings; /* a string's token is its index in the output */
};

/* The index of `text`, which is written when it is met first. */
static uint64_t string_of(struct exporter *self, const char *text)
{
    bool fresh = false;
    uint32_t index = token_of(&self->strings, text, strlen(text), &fresh);
    if (fresh && index > 0)
        pprof_out_string(&self->out, text);
    return index;
}

static void head_write(struct exporter *self)
{
    const struct profile *profile = self->profile;
    struct pprof_out *out = &self->out;
    for (size_t i = 0; i < profile->type_count; i++) {
        uint64_t type = string_of(self, profile->types[i].type);
        pprof_out_sample_type(out, type, string_of(self, profile->types[i].unit));
    }
    if ((size_t)profile->default_type < profile->type_count)
        pprof_out_default_type(out, string_of(self, profile->types[profile->default_type].type));
    const char *period_type = profile->period_type.type, *unit = profile->period_type.unit;
    uint64_t type = string_of(self, period_type != NULL ? period_type : "");
    pprof_out_period(out, type, string_of(self, unit != NULL ? unit : ""), profile->period);
    pprof_out_time(out, profile->time_nanos, profile->duration_nanos);
    uint64_t drop = string_of(self, profile->drop_frames != NULL ? profile->drop_frames : "");
    pprof_out_hidden_frames(
        out, drop, string_of(self, profile->keep_frames != NULL ? profile->keep_frames : ""));
    for (size_t i = 0; i < profile->comment_count; i++)
        pprof_out_comment(out, string_of(self, profile->comments[i]));
}

static void mappings_write(struct exporter *self)
{
    for (size_t i = 0; i < self->profile->mapping_count; i++) {
        const struct mapping *mapping = &self->profile->mappings[i];
        const struct pprof_mapping message = {.id = i + 1,
                                              .start = mapping->start,
                                              .limit = mapping->limit,
                                              .offset = mapping->offset,
                                              .filename = string_of(self, mapping->filename),
                                              .build_id = string_of(self, mapping->build_id),
                                              .has_functions = mapping->has_functions,
                                              .has_filenames = mapping->has_filenames,
                                              .has_line_numbers = mapping->has_line_numbers,
                                              .has_inline_frames = mapping->has_inline_frames};
        pprof_out_mapping(&self->out, &message);
    }
}

static void functions_write(struct exporter *self)
{
    for (size_t i = 0; i < self->profile->function_count; i++) {
        const struct function *function = &self->profile->functions[i];
        const struct pprof_function message = {.id = i + 1,
                                               .name = string_of(self, function->name),
                                               .system_name =
                                                   string_of(self, function->system_name),
                                               .filename = string_of(self, function->filename),
                                               .start_line = function->start_line};
        pprof_out_function(&self->out, &message);
    }
}

static void locations_write(struct exporter *self)
{
    struct pprof_line *lines = NULL;
    for (size_t i = 0; i < self->profile->location_count; i++) {
        const struct location *location = &self->profile->locations[i];
        lines = memory_resized(lines, location->line_count, sizeof(*lines));
        for (size_t k = 0; k < location->line_count; k++)
            lines[k] = (struct pprof_line){(uint64_t)location->lines[k].function + 1,
                                           location->lines[k].line};
        const struct pprof_location message = {.id = i + 1,
                                               .mapping = (uint64_t)(location->mapping + 1),
                                               .address = location->address,
                                               .lines = lines,
                                               .line_count = location->line_count,
                                               .is_folded = location->is_folded};
        pprof_out_location(&self->out, &message);
    }
    free(lines);
}

/* Room for one sample's arrays, as large as the largest met so far. */
struct sample_room {
    uint32_t *locations;
    struct pprof_label *labels;
};

static void sample_write(struct exporter *self, const struct sample *sample,
                         struct sample_room *room)
{
    room->locations = memory_resized(room->locations, sample->depth, sizeof(*room->locations));
    room->labels = memory_resized(room->labels, sample->label_count, sizeof(*room->labels));
    for (size_t i = 0; i < sample->depth; i++)
        room->locations[i] = sample->locations[i] + 1;
    for (size_t i = 0; i < sample->label_count; i++) {
        const struct label *label = &sample->labels[i];
        room->labels[i] =
            (struct pprof_label){.key = string_of(self, label->key),
                                 .text = label->text != NULL ? string_of(self, label->text) : 0,
                                 .number = label->number,
                                 .unit = string_of(self, label->unit)};
    }
    const struct pprof_sample message = {.locations = room->locations,
                                         .depth = sample->depth,
                                         .values = sample->values,
                                         .value_count = self->profile->type_count,
                                         .labels = room->labels,
                                         .label_count = sample->label_count};
    pprof_out_sample(&self->out, &message);
}

bool export_pprof(const struct profile *profile, struct sink *sink)
{
    struct exporter self = {.profile = profile};
    struct sample_room room = {0};
    pprof_out_open(&self.out, sink);
    string_of(&self, "");
    head_write(&self);
    mappings_write(&self);
    functions_write(&self);
    locations_write(&self);
    for (size_t i = 0; i < profile->sample_count; i++)
        sample_write(&self, &profile->samples[i], &room);
    free(room.locations);
    free(room.labels);
    token_table_clear(&self.strings);
    return pprof_out_close(&self.out);
}

bool export_pprof_file(const struct profile *profile, const char *path)
{
    struct output output;
    if (!output_open(&output, path))
        return message_error(path, "cannot be written: %s", strerror(errno));
    output_pack(&output);
    export_pprof(profile, &output.sink); /* a failure is kept by the output */
    return output_commit(&output, OUTPUT_REPLACE) ||
           message_error(path, "cannot be written: %s", strerror(errno));
}
