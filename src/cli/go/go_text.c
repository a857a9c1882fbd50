#include "go_text.h"

#include "go_facts.h"
#include "go_scale.h"
#include "cli/ground/text_cursor.h"
#include "cli/profile/fact_list.h"

#include "cli/ground/memory.h"
#include "cli/ground/value.h"
#include "cli/profile/token_table.h"
#include "cli/symbol/function_set.h"
#include "format/pprof.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 1024, GO_TYPES = 4, ALLOC_OBJECTS = 0, INUSE_OBJECTS = 2 };

static const char title[] = "heap profile: ";

static const struct value_type go_types[GO_TYPES] = {{"alloc_objects", "count"},
                                                     {"alloc_space", "bytes"},
                                                     {"inuse_objects", "count"},
                                                     {"inuse_space", "bytes"}};

/* The profile being made. */
struct text_maker {
    struct profile *profile;
    struct function_set *functions;
    struct token_table places;  /* locations, by what the text says of them */
    struct location *locations; /* malloc'd until they are complete, as are samples */
    struct sample *samples;
    size_t location_capacity, sample_capacity;
    uint32_t stack[DEPTH_MAX]; /* of the row at hand */
    size_t depth;
    struct go_figures figures;
    int64_t live_bytes;
    bool has_figures;
};

/* "N: B [N: B] @"; of the profile's order of types. */
static bool take_values(struct text_cursor *line, int64_t values[GO_TYPES])
{
    return text_take_number(line, &values[INUSE_OBJECTS]) && text_take(line, ": ") &&
           text_take_number(line, &values[INUSE_OBJECTS + 1]) && text_take(line, " [") &&
           text_take_number(line, &values[ALLOC_OBJECTS]) && text_take(line, ": ") &&
           text_take_number(line, &values[ALLOC_OBJECTS + 1]) && text_take(line, "] @");
}

/* The header; its number behind heap/ is twice the rate. */
static bool take_header(struct text_cursor *text, int64_t *rate)
{
    int64_t sums[GO_TYPES], doubled;
    struct text_cursor line = text_line(text);
    if (!text_take(&line, title) || !take_values(&line, sums) || !text_take(&line, " heap/") ||
        !text_take_number(&line, &doubled))
        return false;
    *rate = doubled / 2;
    return line.left_bytes == 0;
}

bool go_text_is(const void *bytes, size_t size_bytes)
{
    struct text_cursor text = {bytes, size_bytes};
    int64_t rate;
    return take_header(&text, &rate);
}

/* Frames. */

static uint32_t add_location(struct text_maker *maker, uint64_t address, const char *name,
                             const char *file, int64_t line)
{
    struct profile *profile = maker->profile;
    struct location location = {.address = address, .mapping = PROFILE_NONE};
    if (name[0]) {
        struct function_key key = {
            .readable = name, .system_name = name, .directory = "", .filename = file};
        location.lines = profile_alloc(profile, 1, sizeof(*location.lines));
        location.lines[0] =
            (struct line){.function = function_set_add(maker->functions, &key), .line = line};
        location.line_count = 1;
    }
    maker->locations = memory_grown(maker->locations, profile->location_count,
                                    &maker->location_capacity, sizeof(*maker->locations));
    maker->locations[profile->location_count] = location;
    return (uint32_t)profile->location_count++;
}

/* NAME+0xOFFSET, then FILE:LINE. */
static uint32_t make_frame(struct text_maker *maker, uint64_t address, struct text_cursor rest)
{
    struct text_cursor name = text_until(&rest, '\t');
    while (text_take(&rest, "\t"))
        continue;
    size_t name_bytes = text_last(&name, '+'), file_bytes = text_last(&rest, ':');
    struct text_cursor number = rest;
    int64_t line = 0;
    text_skip(&number, file_bytes);
    if (!text_take(&number, ":") || !text_take_number(&number, &line))
        line = 0;
    char *name_text = memory_text(name.at, name_bytes);
    char *file_text = memory_text(rest.at, file_bytes);
    uint32_t index = add_location(maker, address, name_text, file_text, line);
    free(name_text);
    free(file_text);
    return index;
}

/* "#\t0xPC\tNAME+0xOFFSET\tFILE:LINE"; false: another kind of line. */
static bool take_frame(struct text_maker *maker, struct text_cursor line)
{
    struct text_cursor whole = line;
    uint64_t address;
    if (!text_take(&line, "#\t") || !text_take_hex(&line, &address))
        return false;
    text_take(&line, "\t");
    if (maker->depth == DEPTH_MAX)
        return true;
    bool fresh;
    uint32_t index = token_of(&maker->places, whole.at, whole.left_bytes, &fresh);
    maker->stack[maker->depth++] = fresh ? make_frame(maker, address, line) : index;
    return true;
}

/* Addresses alone, where no line tells the frames. */
static void take_addresses(struct text_maker *maker, struct text_cursor line)
{
    uint64_t address;
    while (maker->depth < DEPTH_MAX && text_take(&line, " ") && text_take_hex(&line, &address)) {
        bool fresh;
        address = address > 0 ? address - 1 : 0;
        uint32_t index = token_of(&maker->places, &address, sizeof(address), &fresh);
        maker->stack[maker->depth++] = fresh ? add_location(maker, address, "", "", 0) : index;
    }
}

/* Rows. */

static void add_sample(struct text_maker *maker, int64_t values[GO_TYPES])
{
    struct profile *profile = maker->profile;
    struct sample sample = {.depth = maker->depth};
    go_scale(&values[ALLOC_OBJECTS], &values[ALLOC_OBJECTS + 1], maker->figures.rate);
    go_scale(&values[INUSE_OBJECTS], &values[INUSE_OBJECTS + 1], maker->figures.rate);
    maker->live_bytes = value_sum(maker->live_bytes, values[INUSE_OBJECTS + 1]);
    sample.locations = profile_alloc(profile, maker->depth, sizeof(*sample.locations));
    if (maker->depth > 0)
        memcpy(sample.locations, maker->stack, maker->depth * sizeof(*sample.locations));
    sample.values = profile_alloc(profile, GO_TYPES, sizeof(*sample.values));
    memcpy(sample.values, values, GO_TYPES * sizeof(*values));
    maker->samples = memory_grown(maker->samples, profile->sample_count, &maker->sample_capacity,
                                  sizeof(*maker->samples));
    maker->samples[profile->sample_count++] = sample;
}

/* A row and the lines of its frames; false: it is damaged. */
static bool take_row(struct text_maker *maker, struct text_cursor line, struct text_cursor *text)
{
    int64_t values[GO_TYPES];
    if (!take_values(&line, values))
        return false;
    for (int i = 0; i < GO_TYPES; i++)
        if (values[i] < 0)
            return false;
    maker->depth = 0;
    struct text_cursor next = *text;
    while (take_frame(maker, text_line(&next)))
        *text = next;
    if (maker->depth == 0)
        take_addresses(maker, line);
    add_sample(maker, values);
    return true;
}

/* Figures. */

/* What is below zero is damaged: it is not known. */
static uint64_t figure(int64_t number)
{
    return number > 0 ? (uint64_t)number : 0;
}

static void take_ring(struct text_cursor *value, uint64_t ring[GO_PAUSES])
{
    int64_t number;
    text_take(value, "[");
    for (int i = 0; i < GO_PAUSES && text_take_number(value, &number); i++) {
        ring[i] = figure(number);
        text_take(value, " ");
    }
}

/* "NAME = VALUE", behind "# ". */
static void take_figure(struct text_maker *maker, struct text_cursor line)
{
    struct go_figures *figures = &maker->figures;
    const struct {
        const char *name;
        uint64_t *value;
    } known[] = {
        {"HeapAlloc", &figures->allocated_bytes}, {"HeapInuse", &figures->in_use_bytes},
        {"HeapIdle", &figures->idle_bytes},       {"HeapReleased", &figures->released_bytes},
        {"NextGC", &figures->goal_bytes},         {"LastGC", &figures->last_ns},
        {"NumGC", &figures->collections},         {"NumForcedGC", &figures->forced},
    };
    struct text_cursor name = text_until(&line, ' ');
    int64_t number;
    if (!text_take(&line, "= "))
        return;
    if (text_is(&name, "PauseNs"))
        take_ring(&line, figures->pause_ns);
    if (text_is(&name, "PauseEnd"))
        take_ring(&line, figures->pause_end_ns);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!text_is(&name, known[i].name) || !text_take_number(&line, &number))
            continue;
        *known[i].value = figure(number);
        maker->has_figures = true;
    }
}

static bool take_lines(struct text_maker *maker, struct text_cursor *text)
{
    while (text->left_bytes > 0) {
        struct text_cursor line = text_line(text);
        if (line.left_bytes == 0)
            continue;
        if (text_take(&line, "# "))
            take_figure(maker, line);
        else if (text_take(&line, "MAPPED_LIBRARIES:"))
            break;
        else if (!take_row(maker, line, text))
            return false;
    }
    return true;
}

/* The whole. */

static void put_facts(struct text_maker *maker)
{
    struct fact_list facts = {.count = 0};
    struct go_figures *figures = &maker->figures;
    uint64_t number = figures->collections;
    if (!maker->has_figures)
        return;
    if (figures->goal_bytes >= INT64_MAX)
        figures->goal_bytes = 0; /* the collector is off */
    go_facts_put(&facts, figures, "totals");
    fact_list_put(&facts, PPROF_FACT_GO_PUBLISHED, "%" PRId64, maker->live_bytes);
    /* Only runtime.GC() publishes what it found; where all were by it, this one was. */
    if (number > 0 && figures->forced < number)
        number--;
    if (number > 0) {
        fact_list_put(&facts, PPROF_FACT_GO_AS_OF, "%" PRIu64, number);
        fact_list_put_known(&facts, PPROF_FACT_GO_AS_OF_TIME,
                            (int64_t)figures->pause_end_ns[(number - 1) % GO_PAUSES]);
    }
    fact_list_put_known(&facts, PPROF_FACT_GO_FORCED, (int64_t)figures->forced);
    fact_list_give(&facts, maker->profile);
}

static void finish(struct text_maker *maker)
{
    struct profile *profile = maker->profile;
    profile->type_count = GO_TYPES;
    profile->types = profile_alloc(profile, GO_TYPES, sizeof(*profile->types));
    memcpy(profile->types, go_types, sizeof(go_types));
    profile->default_type = INUSE_OBJECTS + 1;
    profile->period_type = (struct value_type){"space", "bytes"};
    profile->period = maker->figures.rate > 1 ? maker->figures.rate : 1;
    profile_keep(profile, maker->samples, maker->locations);
    put_facts(maker);
}

struct profile *go_text_decode(const void *bytes, size_t size_bytes, const char **reason)
{
    struct text_cursor text = {bytes, size_bytes};
    struct text_maker *maker = memory_zeroed(1, sizeof(*maker));
    struct profile *profile = maker->profile = profile_new();
    maker->functions = function_set_open(profile);
    bool good = take_header(&text, &maker->figures.rate) && take_lines(maker, &text);
    if (good)
        finish(maker);
    function_set_close(maker->functions);
    token_table_clear(&maker->places);
    free(maker->samples);
    free(maker->locations);
    free(maker);
    *reason = good ? NULL : "a damaged heap profile in text form";
    if (good)
        return profile;
    profile_free(profile);
    return NULL;
}
