#include "diff_code.h"

#include "cli/ground/memory.h"

#include <stdlib.h>
#include <string.h>

enum { LOCATION_NONE = UINT32_MAX };

static struct mapping copy_mapping(struct profile *result, const struct mapping *mapping)
{
    struct mapping copy = *mapping;
    copy.filename = profile_text(result, mapping->filename);
    copy.build_id = profile_text(result, mapping->build_id);
    return copy;
}

static void copy_functions(struct profile *result, const struct profile *from)
{
    for (size_t i = 0; i < from->function_count; i++) {
        struct function *copy = &result->functions[result->function_count++];
        *copy = from->functions[i];
        copy->name = profile_text(result, copy->name);
        copy->system_name = profile_text(result, copy->system_name);
        copy->filename = profile_text(result, copy->filename);
    }
}

/* Appends a copy of `location` whose functions begin at `functions`; returns its index. */
static uint32_t put_location(struct profile *result, const struct location *location,
                             size_t functions)
{
    struct location *copy = &result->locations[result->location_count];
    *copy = *location;
    copy->lines = profile_alloc(result, location->line_count, sizeof *copy->lines);
    for (size_t i = 0; i < location->line_count; i++) {
        copy->lines[i] = location->lines[i];
        copy->lines[i].function += (int)functions;
    }
    return (uint32_t)result->location_count++;
}

void diff_code_copy(struct diff_code *code)
{
    struct profile *result = code->result;
    const struct profile *base = code->base, *fresh = code->fresh;
    size_t mappings = base->mapping_count + fresh->mapping_count;
    size_t functions = base->function_count + fresh->function_count;
    size_t locations = base->location_count + fresh->location_count;
    result->mappings = profile_alloc(result, mappings, sizeof *result->mappings);
    result->functions = profile_alloc(result, functions, sizeof *result->functions);
    result->locations = profile_alloc(result, locations, sizeof *result->locations);
    for (size_t i = 0; i < fresh->mapping_count; i++)
        result->mappings[result->mapping_count++] = copy_mapping(result, &fresh->mappings[i]);
    copy_functions(result, fresh);
    code->base_functions = result->function_count;
    copy_functions(result, base);
    for (size_t i = 0; i < fresh->location_count; i++)
        put_location(result, &fresh->locations[i], 0);
}

/* The frame token of a location that has exactly one, or LOCATION_NONE. */
static uint32_t only_token(const struct diff_code *code, enum diff_side side, size_t location)
{
    const struct diff_location_tokens *tokens = &code->keys->locations[side];
    size_t start = tokens->starts[location];
    return tokens->starts[location + 1] == start + 1 ? tokens->tokens[start] : LOCATION_NONE;
}

void diff_code_index(struct diff_code *code)
{
    const struct profile *base = code->base, *fresh = code->fresh;
    code->frame_count = code->keys->frames.count;
    code->same_locations = memory_zeroed(code->frame_count, sizeof *code->same_locations);
    memset(code->same_locations, 0xff, code->frame_count * sizeof *code->same_locations);
    code->base_locations = memory_zeroed(base->location_count, sizeof *code->base_locations);
    memset(code->base_locations, 0xff, base->location_count * sizeof *code->base_locations);
    code->base_mappings = memory_zeroed(base->mapping_count, sizeof *code->base_mappings);
    for (size_t i = 0; i < base->mapping_count; i++)
        code->base_mappings[i] = PROFILE_NONE;
    for (size_t i = 0; i < fresh->location_count; i++) {
        const struct diff_object *object =
            diff_object_of(code->keys->objects, DIFF_FRESH, &fresh->locations[i]);
        uint32_t token = only_token(code, DIFF_FRESH, i);
        if (token != LOCATION_NONE && !(object && object->rebuilt))
            code->same_locations[token] = (uint32_t)i;
    }
}

static int import_mapping(struct diff_code *code, int mapping)
{
    if (mapping == PROFILE_NONE)
        return PROFILE_NONE;
    int *place = &code->base_mappings[mapping];
    if (*place == PROFILE_NONE) {
        struct profile *result = code->result;
        *place = (int)result->mapping_count++;
        result->mappings[*place] = copy_mapping(result, &code->base->mappings[mapping]);
    }
    return *place;
}

uint32_t diff_code_import(struct diff_code *code, uint32_t location)
{
    uint32_t *place = &code->base_locations[location];
    if (*place != LOCATION_NONE)
        return *place;
    uint32_t token = only_token(code, DIFF_BASE, location);
    if (token != LOCATION_NONE)
        *place = code->same_locations[token];
    if (*place == LOCATION_NONE) {
        const struct location *from = &code->base->locations[location];
        *place = put_location(code->result, from, code->base_functions);
        code->result->locations[*place].mapping = import_mapping(code, from->mapping);
    }
    return *place;
}

void diff_code_clear(struct diff_code *code)
{
    free(code->base_locations);
    free(code->same_locations);
    free(code->base_mappings);
}
