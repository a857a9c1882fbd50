#include "box_frames.h"

#include <string.h>

#define LOST_NAME    "[lost]"    /* what was in a chunk that did not fit into the file */
#define UNKNOWN_NAME "[unknown]" /* code outside of every file: JIT */
#define LEDGER_NAME  "[ledger]"  /* where frames are that stand for memory, not for code */

enum {
    LOST_FUNCTION = 1,  /* ids of functions: only made-up frames have any */
    LEDGER_FUNCTION = 1 /* added to a location's id: that of its frame */
};

/* Mappings: the program's own first, then the others in their order, then made-up ones. */

static uint64_t put_made_up_mapping(struct box_frames *frames, uint64_t name)
{
    struct pprof_mapping mapping = {.id = ++frames->mapping_count, .filename = name};
    pprof_out_mapping(frames->out, &mapping);
    return mapping.id;
}

static uint64_t unknown_mapping(struct box_frames *frames)
{
    if (frames->unknown_mapping == 0)
        frames->unknown_mapping =
            put_made_up_mapping(frames, pprof_out_string(frames->out, UNKNOWN_NAME));
    return frames->unknown_mapping;
}

static uint64_t lost_mapping(struct box_frames *frames)
{
    if (frames->lost_mapping == 0) {
        frames->lost_name = pprof_out_string(frames->out, LOST_NAME);
        frames->lost_mapping = put_made_up_mapping(frames, frames->lost_name);
    }
    return frames->lost_mapping;
}

static uint64_t put_build_id(struct pprof_out *out, const struct box_mapping *source)
{
    char hex[2 * BOX_BUILD_ID_BYTES_MAX];
    uint32_t count = source->build_id_bytes;
    if (count > BOX_BUILD_ID_BYTES_MAX)
        count = 0; /* damaged */
    for (uint32_t i = 0; i < count; i++) {
        hex[2 * i] = "0123456789abcdef"[source->build_id[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[source->build_id[i] & 15];
    }
    return pprof_out_bytes(out, hex, 2 * (size_t)count);
}

static void put_mapping(struct box_frames *frames, uint32_t index)
{
    const struct box_mapping *source = box_view_entry(frames->view, BOX_MAPPINGS, index);
    struct pprof_mapping mapping = {.id = ++frames->mapping_count};
    const char *path = LOST_NAME;
    if (source) {
        mapping.start = source->start;
        mapping.limit = source->limit;
        mapping.offset = source->offset;
        mapping.build_id = put_build_id(frames->out, source);
        path = box_view_text(frames->view, source->path);
    }
    size_t length = strnlen(path, BOX_TEXT_BYTES_MAX);
    mapping.filename = length > 0 ? pprof_out_bytes(frames->out, path, length)
                                  : pprof_out_string(frames->out, UNKNOWN_NAME);
    pprof_out_mapping(frames->out, &mapping);
}

static uint64_t mapping_entries(const struct box_view *view)
{
    return view->tables[BOX_MAPPINGS].count;
}

static uint32_t find_main_mapping(const struct box_view *view)
{
    for (uint32_t i = 1; i < mapping_entries(view); i++) {
        const struct box_mapping *mapping = box_view_entry(view, BOX_MAPPINGS, i);
        if (mapping && mapping->flags & BOX_MAPPING_MAIN)
            return i;
    }
    return BOX_NONE;
}

static void put_mappings(struct box_frames *frames)
{
    frames->main_mapping = find_main_mapping(frames->view);
    if (frames->main_mapping != BOX_NONE)
        put_mapping(frames, frames->main_mapping);
    for (uint32_t i = 1; i < mapping_entries(frames->view); i++)
        if (i != frames->main_mapping)
            put_mapping(frames, i);
}

/* The id that put_mappings() gave to entry `index`. */
static uint64_t mapping_id(struct box_frames *frames, uint32_t index)
{
    if (index == BOX_NONE || index >= mapping_entries(frames->view))
        return unknown_mapping(frames);
    if (index == frames->main_mapping)
        return 1;
    return index < frames->main_mapping ? (uint64_t)index + 1 : index;
}

/* Locations. */

static void put_lost_location(struct box_frames *frames, uint64_t id)
{
    bool first = frames->lost_mapping == 0;
    uint64_t mapping = lost_mapping(frames);
    if (first) {
        struct pprof_function function = {.id = LOST_FUNCTION, .name = frames->lost_name};
        function.system_name = frames->lost_name;
        pprof_out_function(frames->out, &function);
    }
    struct pprof_line line = {.function = LOST_FUNCTION};
    struct pprof_location location = {
        .id = id, .mapping = mapping, .lines = &line, .line_count = 1};
    pprof_out_location(frames->out, &location);
}

static void put_location(struct box_frames *frames, uint32_t index)
{
    const struct box_pc *pc = box_view_entry(frames->view, BOX_PCS, index);
    if (!pc) {
        put_lost_location(frames, index);
        return;
    }
    struct pprof_location location = {.id = index, .address = pc->address};
    if (!(pc->flags & BOX_PC_EXACT) && location.address > 0)
        location.address--; /* into the call */
    location.mapping = mapping_id(frames, pc->mapping);
    pprof_out_location(frames->out, &location);
}

static void put_locations(struct box_frames *frames)
{
    uint64_t entries = frames->view->tables[BOX_PCS].count;
    frames->location_count = entries > 0 ? entries - 1 : 0;
    for (uint64_t i = 1; i <= frames->location_count; i++)
        put_location(frames, (uint32_t)i);
    frames->last_location = frames->location_count;
}

uint32_t box_frames_unknown(struct box_frames *frames)
{
    uint32_t id = (uint32_t)++frames->last_location;
    put_lost_location(frames, id);
    return id;
}

/* The ledger's frames: of categories, then of lines, where they have names. */

static uint64_t put_frame(struct box_frames *frames, uint64_t mapping, const char *text)
{
    uint64_t id = ++frames->last_location;
    uint64_t name = pprof_out_string(frames->out, text);
    struct pprof_function function = {
        .id = LEDGER_FUNCTION + id, .name = name, .system_name = name};
    struct pprof_line line = {.function = function.id};
    struct pprof_location location = {
        .id = id, .mapping = mapping, .lines = &line, .line_count = 1};
    pprof_out_function(frames->out, &function);
    pprof_out_location(frames->out, &location);
    return id;
}

static void put_ledger_frames(struct box_frames *frames, const struct ledger *ledger)
{
    static const char roots[LEDGER_CATEGORIES][24] = LEDGER_FRAMES;
    uint64_t name = pprof_out_string(frames->out, LEDGER_NAME);
    uint64_t mapping = put_made_up_mapping(frames, name);
    for (unsigned i = 0; i < LEDGER_CATEGORIES; i++)
        if (roots[i][0] != '\0')
            frames->roots[i] = put_frame(frames, mapping, roots[i]);
    frames->line_location = frames->last_location;
    for (size_t i = 0; i < ledger->line_count; i++)
        if (ledger->lines[i].name[0] != '\0')
            put_frame(frames, mapping, ledger->lines[i].name);
}

void box_frames_put(struct box_frames *frames, const struct ledger *ledger)
{
    put_mappings(frames);
    put_locations(frames);
    if (ledger)
        put_ledger_frames(frames, ledger);
}
