#include "site_json.h"

#include "collection_json.h"
#include "interval_json.h"
#include "cli/ground/memory.h"
#include "cli/ground/value.h"
#include "format/pprof.h"

#include <stdlib.h>

static void put_values(struct json *json, const char *key, const struct report *report,
                       const int64_t *values)
{
    json_open(json, key, '{');
    for (size_t i = 0; i < report->shown->type_count; i++)
        json_number(json, report->shown->types[i].type, values[i]);
    json_close(json, '}');
}

static void put_line(struct json *json, const struct profile *profile, const struct line *line)
{
    const struct function *function = &profile->functions[line->function];
    json_text(json, "function", function->name);
    json_text(json, "file", function->filename);
    json_number(json, "line", line->line);
}

/* One return address: the function whose frame it is, and what was inlined into it there. */
static void put_frame(struct json *json, const struct profile *profile,
                      const struct location *location)
{
    json_open(json, NULL, '{');
    if (location->line_count > 0)
        put_line(json, profile, &location->lines[location->line_count - 1]);
    json_number(json, "address", (int64_t)location->address);
    if (location->mapping != PROFILE_NONE) {
        const struct mapping *mapping = &profile->mappings[location->mapping];
        json_text(json, "mapping", mapping->filename);
        json_text(json, "build_id", mapping->build_id);
        json_number(json, "offset",
                    (int64_t)(location->address - mapping->start + mapping->offset));
    }
    if (location->line_count > 1) {
        json_open(json, "inlined", '[');
        for (size_t i = 0; i + 1 < location->line_count; i++) {
            json_open(json, NULL, '{');
            put_line(json, profile, &location->lines[i]);
            json_close(json, '}');
        }
        json_close(json, ']');
    }
    json_close(json, '}');
}

/* Of the types that are estimates. */
static void put_intervals(struct json *json, const struct profile *profile,
                          const struct sample *sample)
{
    bool open = false;
    if (estimate_period(profile) == 0 && !sample->variances)
        return;
    for (size_t i = 0; i < profile->type_count; i++) {
        struct estimate estimate = estimate_of(profile, (int)i);
        double variance = estimate_variance(&estimate, sample);
        if (variance > 0 && !open)
            json_open(json, "intervals", '{');
        open |= variance > 0;
        interval_json_put(json, profile->types[i].type, variance);
    }
    if (open)
        json_close(json, '}');
}

static void put_labels(struct json *json, const struct sample *sample)
{
    json_open(json, "labels", '{');
    for (size_t i = 0; i < sample->label_count; i++) {
        const struct label *label = &sample->labels[i];
        if (label->text)
            json_text(json, label->key, label->text);
        else
            json_number(json, label->key, label->number);
    }
    json_close(json, '}');
}

struct ranked {
    const struct sample *sample;
    int64_t magnitude;
};

/* The samples of the report, largest first, and the frames they have. */
struct sites {
    struct ranked *ranked;
    size_t count;
    uint32_t *frames; /* by location: its index in the output + 1; 0: it is not in it */
};

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->magnitude != b->magnitude)
        return a->magnitude < b->magnitude ? 1 : -1;
    return (a->sample > b->sample) - (a->sample < b->sample);
}

static struct sites sites_of(const struct report *report)
{
    const struct profile *profile = report->shown;
    struct sites sites = {memory_zeroed(profile->sample_count, sizeof *sites.ranked), 0,
                          memory_zeroed(profile->location_count, sizeof *sites.frames)};
    for (size_t i = 0; i < profile->sample_count; i++)
        if (filter_keeps(report->filter, &profile->samples[i]))
            sites.ranked[sites.count++] = (struct ranked){
                &profile->samples[i], value_magnitude(profile->samples[i].values[report->type])};
    qsort(sites.ranked, sites.count, sizeof *sites.ranked, compare_ranked);
    if (report->choice->limit > 0 && sites.count > (size_t)report->choice->limit)
        sites.count = (size_t)report->choice->limit;
    return sites;
}

static void put_frames(struct json *json, const struct profile *profile, struct sites *sites)
{
    uint32_t count = 0;
    json_open(json, "frames", '[');
    for (size_t i = 0; i < sites->count; i++) {
        const struct sample *sample = sites->ranked[i].sample;
        for (size_t at = 0; at < sample->depth; at++) {
            uint32_t location = sample->locations[at];
            if (sites->frames[location] != 0)
                continue;
            sites->frames[location] = ++count;
            put_frame(json, profile, &profile->locations[location]);
        }
    }
    json_close(json, ']');
}

static void put_site(struct json *json, const struct report *report, const struct sites *sites,
                     const struct sample *sample)
{
    const char *kind = sample_label(sample, PPROF_LABEL_MEM_KIND);
    json_open(json, NULL, '{');
    json_text(json, "kind", kind ? kind : "");
    put_values(json, "values", report, sample->values);
    if (sample->base)
        put_values(json, "base", report, sample->base);
    put_intervals(json, report->shown, sample);
    put_labels(json, sample);
    if (!report->base && report->book->pasts)
        collection_json_past(json, &report->book->pasts[sample - report->shown->samples]);
    json_open(json, "stack", '[');
    for (size_t i = 0; i < sample->depth; i++)
        json_number(json, NULL, sites->frames[sample->locations[i]] - 1);
    json_close(json, ']');
    json_close(json, '}');
}

void site_json_put(struct json *json, const struct report *report)
{
    struct sites sites = sites_of(report);
    put_frames(json, report->shown, &sites);
    json_open(json, "sites", '[');
    for (size_t i = 0; i < sites.count; i++)
        put_site(json, report, &sites, sites.ranked[i].sample);
    json_close(json, ']');
    free(sites.ranked);
    free(sites.frames);
}
