#include "diff_key.h"

#include "cli/ground/memory.h"

#include <stdlib.h>
#include <string.h>

/* What a frame token stands for; compared byte by byte, so there is no padding. */
enum frame_kind {
    FRAME_ADDRESS,  /* where: object, number: file offset, detail: lines when they are needed too */
    FRAME_FUNCTION, /* where: its name and file */
    FRAME_UNKNOWN   /* code without file and name in another process: all the same */
};

struct frame_key {
    uint32_t kind, where;
    uint64_t number;
    uint64_t detail;
};

struct line_key {
    uint32_t name, system_name, filename;
    uint32_t reserved;
    int64_t start_line, line;
};

static const uint64_t DETAIL_NONE = UINT64_MAX;

static uint32_t token_of_frame(struct diff_keys *keys, const struct frame_key *key)
{
    return token_of(&keys->frames, key, sizeof *key, NULL);
}

static void put_token(struct diff_location_tokens *locations, uint32_t token)
{
    locations->tokens = memory_grown(locations->tokens, locations->count, &locations->capacity,
                                     sizeof *locations->tokens);
    locations->tokens[locations->count++] = token;
}

/* Name and file without its folder: build folders differ from build to build. */
static uint32_t token_of_function(struct diff_keys *keys, const struct function *function)
{
    uint32_t parts[] = {token_of_text(&keys->texts, function->name),
                        token_of_text(&keys->texts, basename(function->filename))};
    return token_of(&keys->composites, parts, sizeof parts, NULL);
}

/* All lines of a location as one token. */
static uint64_t token_of_lines(struct diff_keys *keys, const struct profile *profile,
                               const struct location *location)
{
    uint64_t token = DETAIL_NONE;
    for (size_t i = 0; i < location->line_count; i++) {
        const struct line *line = &location->lines[i];
        const struct function *function = &profile->functions[line->function];
        struct {
            uint64_t before;
            struct line_key key;
        } chain = {token,
                   {.name = token_of_text(&keys->texts, function->name),
                    .system_name = token_of_text(&keys->texts, function->system_name),
                    .filename = token_of_text(&keys->texts, function->filename),
                    .start_line = function->start_line,
                    .line = line->line}};
        token = token_of(&keys->composites, &chain, sizeof chain, NULL);
    }
    return token;
}

/* An address in a file with a build id says all; elsewhere lines help to tell places apart. */
static struct frame_key address_key(struct diff_keys *keys, enum diff_side side,
                                    const struct profile *profile, const struct location *location)
{
    struct frame_key key = {.kind = FRAME_ADDRESS, .where = UINT32_MAX};
    const struct diff_object *object = diff_object_of(keys->objects, side, location);
    key.number = location->address;
    key.detail = DETAIL_NONE;
    if (object) {
        const struct mapping *mapping = &profile->mappings[location->mapping];
        key.where = keys->objects->of_mapping[side][location->mapping];
        key.number += mapping->offset - mapping->start;
    }
    if (!object || !object->has_build_id || location->address == 0)
        key.detail = token_of_lines(keys, profile, location);
    return key;
}

/* Inlined functions count as frames of their own: another build may inline otherwise. */
static void name_by_function(struct diff_keys *keys, enum diff_side side,
                             const struct profile *profile, const struct location *location)
{
    for (size_t i = 0; i < location->line_count; i++) {
        const struct function *function = &profile->functions[location->lines[i].function];
        struct frame_key key = {.kind = FRAME_FUNCTION, .where = token_of_function(keys, function)};
        put_token(&keys->locations[side], token_of_frame(keys, &key));
    }
}

/* "[unknown]+0x1234" is what code without a file is called when nothing else is known. The frames of a
   ledger are in brackets too, but have no address. */
static bool is_named(const struct profile *profile, const struct location *location)
{
    if (location->line_count == 0)
        return false;
    const char *name = profile->functions[location->lines[0].function].name;
    return name[0] != '[' || (location->address == 0 && strcmp(name, "[lost]") != 0);
}

static void name_location(struct diff_keys *keys, enum diff_side side,
                          const struct profile *profile, const struct location *location,
                          bool same_process)
{
    const struct diff_object *object = diff_object_of(keys->objects, side, location);
    if (object && object->rebuilt && location->line_count > 0) {
        name_by_function(keys, side, profile, location);
        return;
    }
    bool comparable = same_process || !object || !object->no_file || is_named(profile, location);
    uint32_t token = keys->unknown;
    if (comparable) {
        struct frame_key key = address_key(keys, side, profile, location);
        token = token_of_frame(keys, &key);
    }
    put_token(&keys->locations[side], token);
}

static void name_side(struct diff_keys *keys, enum diff_side side, const struct profile *profile,
                      bool same_process)
{
    struct diff_location_tokens *locations = &keys->locations[side];
    locations->starts = memory_zeroed(profile->location_count + 1, sizeof *locations->starts);
    for (size_t i = 0; i < profile->location_count; i++) {
        name_location(keys, side, profile, &profile->locations[i], same_process);
        locations->starts[i + 1] = locations->count;
    }
}

void diff_keys_open(struct diff_keys *keys, const struct diff_objects *objects,
                    const struct profile *base, const struct profile *fresh, bool same_process)
{
    *keys = (struct diff_keys){.objects = objects};
    struct frame_key unknown = {.kind = FRAME_UNKNOWN};
    keys->unknown = token_of_frame(keys, &unknown);
    name_side(keys, DIFF_BASE, base, same_process);
    name_side(keys, DIFF_FRESH, fresh, same_process);
}

static void put_key(struct diff_keys *keys, uint32_t token)
{
    keys->key = memory_grown(keys->key, keys->key_count, &keys->key_capacity, sizeof *keys->key);
    keys->key[keys->key_count++] = token;
}

static void put_frame(struct diff_keys *keys, uint32_t token)
{
    bool unknown = token == keys->unknown && keys->key_count > 0;
    if (!unknown || keys->key[keys->key_count - 1] != token)
        put_key(keys, token); /* how many frames in a row are unknown says nothing */
}

static uint32_t token_of_label(struct diff_keys *keys, const struct label *label)
{
    struct {
        uint32_t key, is_text;
        uint64_t value;
        uint64_t unit;
    } parts = {token_of_text(&keys->texts, label->key), label->text != NULL, 0, 0};
    parts.value = label->text ? token_of_text(&keys->texts, label->text) : (uint64_t)label->number;
    parts.unit = token_of_text(&keys->texts, label->unit);
    return token_of(&keys->labels, &parts, sizeof parts, NULL);
}

static int compare_tokens(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* The order of labels means nothing. */
static void put_labels(struct diff_keys *keys, const struct sample *sample)
{
    put_key(keys, UINT32_MAX);
    size_t first = keys->key_count;
    for (size_t i = 0; i < sample->label_count; i++)
        put_key(keys, token_of_label(keys, &sample->labels[i]));
    qsort(keys->key + first, sample->label_count, sizeof *keys->key, compare_tokens);
}

uint32_t diff_key_of(struct diff_keys *keys, enum diff_side side, const struct sample *sample,
                     bool *fresh)
{
    const struct diff_location_tokens *locations = &keys->locations[side];
    keys->key_count = 0;
    for (size_t i = 0; i < sample->depth; i++) {
        size_t end = locations->starts[sample->locations[i] + 1];
        for (size_t at = locations->starts[sample->locations[i]]; at < end; at++)
            put_frame(keys, locations->tokens[at]);
    }
    put_labels(keys, sample);
    return token_of(&keys->samples, keys->key, keys->key_count * sizeof *keys->key, fresh);
}

void diff_keys_clear(struct diff_keys *keys)
{
    for (enum diff_side side = DIFF_BASE; side < DIFF_SIDES; side++) {
        free(keys->locations[side].starts);
        free(keys->locations[side].tokens);
    }
    free(keys->key);
    token_table_clear(&keys->frames);
    token_table_clear(&keys->texts);
    token_table_clear(&keys->composites);
    token_table_clear(&keys->labels);
    token_table_clear(&keys->samples);
    *keys = (struct diff_keys){0};
}
