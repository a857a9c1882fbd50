#include "symbol.h"

#include "function_set.h"
#include "image.h"
#include "image_file.h"
#include "progress.h"
#include "cli/ground/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A location without lines. */
struct pending {
    int mapping; /* or PROFILE_NONE */
    uint64_t address;
    struct location *location;
};

struct symbolizer {
    struct profile *profile;
    struct function_set *functions;
    const struct mapping *mapping; /* whose file `image` is; NULL: none yet */
    struct image *image;           /* NULL: there is no such file */
};

static int pending_compare(const void *left, const void *right, void *context)
{
    const struct mapping *mappings = context;
    const struct pending *a = left, *b = right;
    if (a->mapping != b->mapping) {
        if (a->mapping < 0 || b->mapping < 0)
            return a->mapping < 0 ? -1 : 1;
        /* Files together, so that each is opened once; then each of its mappings. */
        const struct mapping *from = &mappings[a->mapping], *to = &mappings[b->mapping];
        int order = strcmp(from->filename, to->filename);
        order = order != 0 ? order : strcmp(from->build_id, to->build_id);
        return order != 0 ? order : a->mapping - b->mapping;
    }
    return a->address < b->address ? -1 : a->address > b->address;
}

static struct pending *pending_list(struct profile *profile, size_t *count)
{
    struct pending *list = memory_zeroed(profile->location_count, sizeof(*list));
    *count = 0;
    for (size_t i = 0; i < profile->location_count; i++) {
        struct location *location = &profile->locations[i];
        if (location->line_count == 0)
            list[(*count)++] = (struct pending){location->mapping, location->address, location};
    }
    qsort_r(list, *count, sizeof(*list), pending_compare, profile->mappings);
    return list;
}

/* "libc.so.6", "[vdso]", "[unknown]". */
static const char *mapping_name(const struct mapping *mapping)
{
    if (mapping == NULL || mapping->filename[0] == '\0')
        return "[unknown]";
    const char *name = basename(mapping->filename);
    return name[0] != '\0' ? name : mapping->filename;
}

/* "module+0xoffset", the last resort: an offset into the file, as nothing else is known. */
static int function_unknown(struct symbolizer *self, const struct pending *pending,
                            const char *filename)
{
    const struct mapping *mapping =
        pending->mapping != PROFILE_NONE ? &self->profile->mappings[pending->mapping] : NULL;
    uint64_t offset = pending->address;
    if (mapping != NULL)
        offset += mapping->offset - mapping->start;
    char *name = memory_format("%s+0x%llx", mapping_name(mapping), (unsigned long long)offset);
    const struct function_key key = {
        .readable = name, .system_name = name, .directory = "", .filename = filename};
    int index = function_set_add(self->functions, &key);
    free(name);
    return index;
}

static int function_of(struct symbolizer *self, const struct pending *pending,
                       const struct frame *frame)
{
    const char *file = frame->file != NULL ? frame->file : "";
    if (frame->name == NULL)
        return function_unknown(self, pending, file);
    const struct function_key key = {.readable = frame->readable != NULL ? frame->readable : "",
                                     .system_name = frame->name,
                                     .directory = frame->directory != NULL ? frame->directory : "",
                                     .filename = file,
                                     .start_line = frame->start_line};
    return function_set_add(self->functions, &key);
}

static void lines_set(struct symbolizer *self, const struct pending *pending,
                      const struct frame *frames, size_t count)
{
    struct location *location = pending->location;
    location->line_count = count > 0 ? count : 1;
    location->lines =
        profile_alloc(self->profile, location->line_count, sizeof(location->lines[0]));
    if (count == 0)
        location->lines[0].function = function_unknown(self, pending, "");
    for (size_t i = 0; i < count; i++) {
        location->lines[i].line = frames[i].line;
        location->lines[i].function = function_of(self, pending, &frames[i]);
    }
}

static void mapping_mark(struct mapping *mapping, enum image_source source, size_t depth)
{
    bool dwarf = source == IMAGE_DWARF;
    mapping->has_functions |= source != IMAGE_NOTHING;
    mapping->has_filenames |= dwarf;
    mapping->has_line_numbers |= dwarf;
    mapping->has_inline_frames |= dwarf && depth > 1;
}

static void image_use(struct symbolizer *self, const struct mapping *mapping)
{
    const struct mapping *last = self->mapping;
    if (last != NULL && strcmp(last->filename, mapping->filename) == 0 &&
        strcmp(last->build_id, mapping->build_id) == 0)
        return;
    image_close(self->image);
    self->image = image_open(mapping->filename, mapping->build_id);
    self->mapping = mapping;
}

static void pending_resolve(struct symbolizer *self, const struct pending *pending)
{
    struct frame frames[FRAMES_MAX];
    size_t count = 0;
    struct mapping *mapping =
        pending->mapping != PROFILE_NONE ? &self->profile->mappings[pending->mapping] : NULL;
    if (mapping != NULL)
        image_use(self, mapping);
    if (mapping != NULL && self->image != NULL) {
        uint64_t address =
            image_address(self->image, pending->address, mapping->start, mapping->offset);
        enum image_source source = image_frames(self->image, address, frames, &count);
        mapping_mark(mapping, source, count);
    }
    lines_set(self, pending, frames, count);
}

void symbolize(struct profile *profile)
{
    struct symbolizer self = {.profile = profile};
    struct progress progress;
    size_t count = 0;
    struct pending *list = pending_list(profile, &count);
    if (count > 0) {
        self.functions = function_set_open(profile);
        progress_begin(&progress, "symbolizing", count);
        for (size_t i = 0; i < count; i++) {
            const struct mapping *mapping =
                list[i].mapping != PROFILE_NONE ? &profile->mappings[list[i].mapping] : NULL;
            progress_at(&progress, i, mapping_name(mapping));
            pending_resolve(&self, &list[i]);
        }
        progress_end(&progress);
        image_close(self.image);
        function_set_close(self.functions);
    }
    free(list);
}

enum { LARGE_PART = 10 /* one location in ten */ };

/* True when code of the program itself was looked up, and not one address of it has a name. */
static bool is_nameless(const struct profile *profile)
{
    size_t count = 0;
    for (size_t i = 0; i < profile->location_count; i++) {
        const struct location *location = &profile->locations[i];
        if (location->mapping != 0 || location->line_count == 0)
            continue;
        if (!strstr(profile->functions[location->lines[0].function].name, "+0x"))
            return false;
        count++;
    }
    return count > 0 && count >= profile->location_count / LARGE_PART;
}

const char *symbol_problem(const struct profile *profile)
{
    if (!is_nameless(profile))
        return NULL;
    const struct mapping *program = &profile->mappings[0];
    char *found = NULL;
    int file = image_file_open(program->filename, program->build_id, &found);
    free(found);
    if (file >= 0) {
        close(file);
        return "has no symbols";
    }
    char *path = memory_text(program->filename, mapping_path_bytes(program->filename));
    bool exists = access(path, F_OK) == 0;
    free(path);
    return exists ? "is another build now" : "is not on this machine";
}
