#include "diff_object.h"

#include "cli/ground/memory.h"

#include <stdlib.h>
#include <string.h>

/* The file's name without folder, ".so" and version: libssl.so.3 and libssl-1.1.so are one family. */
static uint32_t family_of(struct diff_objects *objects, const char *path)
{
    size_t length = mapping_path_bytes(path);
    const char *name = path;
    for (size_t i = 0; i < length; i++)
        if (path[i] == '/')
            name = path + i + 1;
    length -= (size_t)(name - path);
    const char *suffix = memmem(name, length, ".so", 3);
    if (suffix)
        length = (size_t)(suffix - name);
    size_t stem = length;
    while (stem > 0 && strchr("0123456789.-_v", name[stem - 1]))
        stem--;
    return token_of(&objects->families, name, stem ? stem : length, NULL);
}

static bool is_no_file(const char *path)
{
    return path[0] == '\0' || path[0] == '[' || strncmp(path, "//", 2) == 0;
}

static bool is_library(const char *path)
{
    const char *suffix = strstr(path, ".so");
    return suffix && (suffix[3] == '\0' || suffix[3] == '.' || suffix[3] == ' ');
}

static void describe(struct diff_objects *objects, struct diff_object *object,
                     const struct mapping *mapping)
{
    *object = (struct diff_object){.has_build_id = mapping->build_id[0] != '\0'};
    object->no_file = is_no_file(mapping->filename) && !object->has_build_id;
    object->program = !is_no_file(mapping->filename) && !is_library(mapping->filename);
    object->family = family_of(objects, mapping->filename);
}

static uint32_t intern_object(struct diff_objects *objects, const struct mapping *mapping)
{
    bool by_id = mapping->build_id[0] != '\0';
    const char *name = by_id ? mapping->build_id : mapping->filename;
    bool is_new;
    uint32_t token =
        token_of(&objects->names, name, by_id ? strlen(name) : mapping_path_bytes(name), &is_new);
    objects->objects =
        memory_grown(objects->objects, token, &objects->capacity, sizeof *objects->objects);
    if (is_new)
        describe(objects, &objects->objects[token], mapping);
    return token;
}

static void take_side(struct diff_objects *objects, enum diff_side side,
                      const struct profile *profile)
{
    uint32_t *of_mapping = memory_zeroed(profile->mapping_count, sizeof *of_mapping);
    for (size_t i = 0; i < profile->mapping_count; i++) {
        of_mapping[i] = intern_object(objects, &profile->mappings[i]);
        objects->objects[of_mapping[i]].on[side] = true;
    }
    objects->of_mapping[side] = of_mapping;
}

/* A family with an object only on the base's side and another only on the fresh one's: rebuilt. */
static void find_rebuilt(struct diff_objects *objects)
{
    bool(*alone)[DIFF_SIDES] = memory_zeroed(objects->families.count, sizeof *alone);
    for (uint32_t i = 0; i < objects->names.count; i++) {
        const struct diff_object *object = &objects->objects[i];
        for (enum diff_side side = DIFF_BASE; side < DIFF_SIDES; side++)
            alone[object->family][side] |= object->on[side] && !object->on[!side];
    }
    for (uint32_t i = 0; i < objects->names.count; i++) {
        struct diff_object *object = &objects->objects[i];
        const bool *family = alone[object->family];
        bool shared = object->on[DIFF_BASE] && object->on[DIFF_FRESH];
        object->rebuilt = !object->no_file && !shared && family[DIFF_BASE] && family[DIFF_FRESH];
    }
    free(alone);
}

void diff_objects_open(struct diff_objects *objects, const struct profile *base,
                       const struct profile *fresh)
{
    *objects = (struct diff_objects){0};
    take_side(objects, DIFF_BASE, base);
    take_side(objects, DIFF_FRESH, fresh);
    find_rebuilt(objects);
}

struct diff_object *diff_object_of(const struct diff_objects *objects, enum diff_side side,
                                   const struct location *location)
{
    if (location->mapping == PROFILE_NONE)
        return NULL;
    return &objects->objects[objects->of_mapping[side][location->mapping]];
}

/* The place of `location` as bytes that compare equal on both sides; false when it has none, or when
   its object's build id vouches for it. */
static bool place_of(const struct diff_objects *objects, enum diff_side side,
                     const struct profile *profile, const struct location *location,
                     uint64_t place[2])
{
    const struct diff_object *object = diff_object_of(objects, side, location);
    if (!object || object->has_build_id || object->no_file || object->rebuilt)
        return false;
    const struct mapping *mapping = &profile->mappings[location->mapping];
    place[0] = objects->of_mapping[side][location->mapping];
    place[1] = location->address - mapping->start + mapping->offset;
    return location->line_count > 0 && location->address != 0;
}

static const char *name_of(const struct profile *profile, const struct location *location)
{
    return profile->functions[location->lines[0].function].name;
}

/* What the fresh side calls the code at each place. */
struct place_names {
    struct token_table places;
    const char **names; /* by token of the place */
    size_t capacity;
};

static void take_names(struct place_names *known, const struct diff_objects *objects,
                       const struct profile *fresh)
{
    uint64_t place[2];
    for (size_t i = 0; i < fresh->location_count; i++) {
        const struct location *location = &fresh->locations[i];
        if (!place_of(objects, DIFF_FRESH, fresh, location, place))
            continue;
        uint32_t token = token_of(&known->places, place, sizeof place, NULL);
        known->names = memory_grown(known->names, token, &known->capacity, sizeof *known->names);
        known->names[token] = name_of(fresh, location);
    }
}

void diff_objects_compare(struct diff_objects *objects, const struct profile *base,
                          const struct profile *fresh)
{
    struct place_names known = {0};
    uint64_t place[2];
    take_names(&known, objects, fresh);
    uint32_t count = known.places.count;
    for (size_t i = 0; i < base->location_count; i++) {
        const struct location *location = &base->locations[i];
        if (!place_of(objects, DIFF_BASE, base, location, place))
            continue;
        uint32_t token = token_of(&known.places, place, sizeof place, NULL);
        if (token < count && strcmp(known.names[token], name_of(base, location)) != 0)
            diff_object_of(objects, DIFF_BASE, location)->rebuilt = true;
    }
    free(known.names);
    token_table_clear(&known.places);
}

/* Libraries do not count: every program has libc. A side that names no program at all may be any. */
bool diff_objects_related(const struct diff_objects *objects)
{
    bool named[DIFF_SIDES] = {false, false};
    for (uint32_t i = 0; i < objects->names.count; i++) {
        const struct diff_object *object = &objects->objects[i];
        if (!object->program)
            continue;
        if (object->rebuilt || (object->on[DIFF_BASE] && object->on[DIFF_FRESH]))
            return true;
        named[DIFF_BASE] |= object->on[DIFF_BASE];
        named[DIFF_FRESH] |= object->on[DIFF_FRESH];
    }
    return !named[DIFF_BASE] || !named[DIFF_FRESH];
}

void diff_objects_clear(struct diff_objects *objects)
{
    for (enum diff_side side = DIFF_BASE; side < DIFF_SIDES; side++)
        free(objects->of_mapping[side]);
    free(objects->objects);
    token_table_clear(&objects->names);
    token_table_clear(&objects->families);
    *objects = (struct diff_objects){0};
}
