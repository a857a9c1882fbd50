#include "go_profile.h"

#include "go_profile_facts.h"
#include "go_scale.h"

#include "cli/ground/memory.h"
#include "cli/ground/value.h"
#include "cli/profile/token_table.h"
#include "cli/symbol/function_set.h"
#include "format/ledger.h"
#include "format/pprof.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The profile being made. */
struct maker {
    const struct go_process *process;
    struct profile *profile;
    struct function_set *functions;
    struct token_table places; /* of addresses, or of names of the ledger's frames: locations */
    struct token_table stacks; /* of locations: samples */
    size_t location_capacity, sample_capacity;
    struct location *locations; /* malloc'd until they are complete, as are samples */
    struct sample *samples;
    uint32_t *stack;    /* of the site at hand */
    int64_t *published; /* bytes by sample: what Go's own profile says */
    size_t published_capacity;
};

enum { PROGRAM_MAPPING, LEDGER_MAPPING, MAPPINGS };

/* Locations. */

static uint32_t add_location(struct maker *maker, int mapping, uint64_t address,
                             const struct function_key *key, int64_t line)
{
    struct profile *profile = maker->profile;
    struct line *lines = profile_alloc(profile, 1, sizeof(*lines));
    lines[0] = (struct line){.function = function_set_add(maker->functions, key), .line = line};
    maker->locations = memory_grown(maker->locations, profile->location_count,
                                    &maker->location_capacity, sizeof(*maker->locations));
    maker->locations[profile->location_count] =
        (struct location){.address = address, .mapping = mapping, .line_count = 1, .lines = lines};
    return (uint32_t)profile->location_count++;
}

static uint32_t location_of_pc(struct maker *maker, uint64_t pc)
{
    bool fresh;
    uint32_t index = token_of(&maker->places, &pc, sizeof(pc), &fresh);
    if (!fresh)
        return index;
    struct go_frame frame;
    char name[32];
    if (!go_symbols_frame(&maker->process->symbols, pc, &frame)) {
        snprintf(name, sizeof(name), "0x%" PRIx64, pc); /* C code: cgo gives no name here */
        frame.function = name;
    }
    struct function_key key = {.readable = frame.function,
                               .system_name = frame.function,
                               .directory = "",
                               .filename = frame.file};
    return add_location(maker, PROGRAM_MAPPING, pc, &key, frame.line);
}

static uint32_t location_of_name(struct maker *maker, const char *name)
{
    bool fresh;
    uint32_t index = token_of(&maker->places, name, strlen(name), &fresh);
    if (!fresh)
        return index;
    struct function_key key = {
        .readable = name, .system_name = name, .directory = "", .filename = ""};
    return add_location(maker, LEDGER_MAPPING, 0, &key, 0);
}

/* Sites. */

static bool is_of_runtime(struct maker *maker, uint64_t pc)
{
    struct go_frame frame;
    return go_symbols_frame(&maker->process->symbols, pc, &frame) &&
           strncmp(frame.function, "runtime.", strlen("runtime.")) == 0;
}

/* The stack without the runtime's own frames at its leaf, unless there are no others: as pprof has it. */
static uint32_t take_stack(struct maker *maker, const struct go_site *site)
{
    const uint64_t *pcs = maker->process->heap.pcs + site->first_pc;
    uint32_t first = 0;
    while (first < site->depth && is_of_runtime(maker, pcs[first] - 1))
        first++;
    if (first == site->depth)
        first = 0;
    for (uint32_t i = first; i < site->depth; i++)
        maker->stack[i - first] = location_of_pc(maker, pcs[i] - 1);
    return site->depth - first;
}

static struct sample *add_sample(struct maker *maker, uint32_t depth)
{
    struct profile *profile = maker->profile;
    maker->samples = memory_grown(maker->samples, profile->sample_count, &maker->sample_capacity,
                                  sizeof(*maker->samples));
    struct sample *sample = &maker->samples[profile->sample_count++];
    *sample = (struct sample){.depth = depth};
    sample->locations = profile_alloc(profile, depth, sizeof(*sample->locations));
    memcpy(sample->locations, maker->stack, depth * sizeof(*sample->locations));
    sample->values = profile_alloc(profile, PPROF_HEAP_VALUES, sizeof(*sample->values));
    return sample;
}

static void add_label(struct maker *maker, struct sample *sample, const char *kind)
{
    sample->label_count = 1;
    sample->labels = profile_alloc(maker->profile, 1, sizeof(*sample->labels));
    sample->labels[0] = (struct label){.key = PPROF_LABEL_MEM_KIND, .text = kind, .unit = ""};
}

/* Adds the estimate for `objects` sampled ones. */
static int64_t add_scaled(int64_t *values, int objects_type, uint64_t objects,
                          const struct go_site *site, int64_t rate)
{
    int64_t count = (int64_t)objects, bytes = (int64_t)(objects * site->size_bytes);
    go_scale(&count, &bytes, rate);
    values[objects_type] = value_sum(values[objects_type], count);
    values[objects_type + 1] = value_sum(values[objects_type + 1], bytes);
    return bytes;
}

/* What is left; nothing, where more was freed than allocated: the process went on meanwhile. */
static uint64_t left_of(uint64_t allocs, uint64_t frees)
{
    return allocs > frees ? allocs - frees : 0;
}

/* What Go's own profile says of the site, in bytes. */
static int64_t add_values(int64_t *values, const struct go_site *site, const struct go_figures *go)
{
    int64_t part[PPROF_HEAP_VALUES] = {0}, rate = go->rate;
    uint64_t published = left_of(site->published_allocs, site->published_frees);
    uint64_t allocs = site->published_allocs + site->pending_allocs, since = site->since_allocs;
    uint64_t then = left_of(allocs, site->published_frees + site->pending_frees);
    if (go->collections == 0) { /* who asks for a profile then has all of it published */
        since += then;
        then = 0;
    }
    add_scaled(part, PPROF_ALLOC_OBJECTS, allocs + site->since_allocs, site, rate);
    add_scaled(part, PPROF_COLLECTED_OBJECTS, then, site, rate);
    add_scaled(part, PPROF_SINCE_OBJECTS, since, site, rate);
    /* Nothing is freed but by sweeping, which is of the last collection: of what was not live then. */
    part[PPROF_INUSE_OBJECTS] = part[PPROF_COLLECTED_OBJECTS] + part[PPROF_SINCE_OBJECTS];
    part[PPROF_INUSE_SPACE] = part[PPROF_COLLECTED_SPACE] + part[PPROF_SINCE_SPACE];
    for (int i = 0; i < PPROF_HEAP_VALUES; i++)
        values[i] = value_sum(values[i], part[i]);
    int64_t nothing[2] = {0};
    return add_scaled(nothing, 0, published, site, rate);
}

/* The sample of the stack at hand; where sampling scales by size, of that size too. */
static struct sample *sample_of(struct maker *maker, uint32_t depth, uint64_t size_bytes)
{
    bool fresh;
    if (maker->process->heap.figures.rate <= 1)
        size_bytes = 0;
    memcpy(maker->stack + depth, &size_bytes, sizeof(size_bytes)); /* there is room for it */
    uint32_t index = token_of(&maker->stacks, maker->stack,
                              depth * sizeof(*maker->stack) + sizeof(size_bytes), &fresh);
    if (!fresh)
        return &maker->samples[index];
    maker->published = memory_grown(maker->published, index, &maker->published_capacity,
                                    sizeof(*maker->published));
    maker->published[index] = 0;
    return add_sample(maker, depth); /* without a label, as Go writes it: the two can be compared */
}

static void add_sites(struct maker *maker)
{
    const struct go_heap *heap = &maker->process->heap;
    for (size_t i = 0; i < heap->count; i++) {
        const struct go_site *site = &heap->sites[i];
        uint32_t depth = take_stack(maker, site);
        struct sample *sample = sample_of(maker, depth, site->size_bytes);
        int64_t published = add_values(sample->values, site, &heap->figures);
        int64_t *sum = &maker->published[sample - maker->samples];
        *sum = value_sum(*sum, published);
    }
}

/* The ledger. */

static const char *root_of(int kind)
{
    static const char roots[LEDGER_CATEGORIES][24] = LEDGER_FRAMES;
    if (kind == LEDGER_HEAP)
        return LEDGER_FRAME_HEAP;
    return kind == LEDGER_ANONYMOUS ? LEDGER_FRAME_ANONYMOUS : roots[kind];
}

static void add_ledger(struct maker *maker)
{
    const struct ledger_book *book = &maker->process->look.book;
    for (size_t i = 0; i < book->count; i++) {
        const struct ledger_entry *entry = &book->entries[i];
        uint32_t depth = 0;
        char *leaf = memory_format("[%s]", entry->name);
        if (entry->name[0])
            maker->stack[depth++] = location_of_name(maker, leaf);
        maker->stack[depth++] = location_of_name(maker, root_of(entry->kind));
        struct sample *sample = add_sample(maker, depth);
        sample->values[PPROF_RESIDENT_SPACE] = entry->bytes;
        add_label(maker, sample, LEDGER_MEM_KIND);
        free(leaf);
    }
}

static void put_facts(const struct maker *maker)
{
    struct fact_list facts = {0};
    const struct go_published published = {maker->samples, maker->published, maker->stacks.count};
    go_profile_facts_put(&facts, maker->process, &published);
    fact_list_give(&facts, maker->profile);
}

/* The whole. */

static void make_types(struct profile *profile, const struct go_process *process)
{
    static const struct value_type types[PPROF_HEAP_VALUES] = PPROF_HEAP_TYPES;
    profile->type_count = PPROF_HEAP_VALUES;
    profile->types = profile_alloc(profile, PPROF_HEAP_VALUES, sizeof(*profile->types));
    memcpy(profile->types, types, sizeof(types));
    profile->default_type = PPROF_INUSE_SPACE;
    profile->period_type = (struct value_type){"space", "bytes"};
    profile->period = process->heap.figures.rate > 1 ? process->heap.figures.rate : 1;
    profile->time_nanos = process->look.time_ns;
    if (process->look.start_ns < process->look.time_ns)
        profile->duration_nanos = process->look.time_ns - process->look.start_ns;
}

static void make_mappings(struct profile *profile, const struct go_process *process)
{
    const struct smaps *smaps = &process->look.scene.smaps;
    uint64_t code = process->binary.addresses[GO_TEXT] + process->binary.bias;
    profile->mapping_count = MAPPINGS;
    profile->mappings = profile_alloc(profile, MAPPINGS, sizeof(*profile->mappings));
    struct mapping *program = &profile->mappings[PROGRAM_MAPPING];
    *program = (struct mapping){.filename = "",
                                .build_id = "",
                                .has_functions = true,
                                .has_filenames = true,
                                .has_line_numbers = true,
                                .has_inline_frames = true};
    for (size_t i = 0; i < smaps->count; i++) {
        const struct smaps_vma *vma = &smaps->vmas[i];
        if (code < vma->start || code >= vma->end)
            continue;
        program->start = vma->start;
        program->limit = vma->end;
        program->offset = vma->offset;
        program->filename = profile_text(profile, vma->name);
    }
    profile->mappings[LEDGER_MAPPING] = (struct mapping){.filename = "[ledger]", .build_id = ""};
}

static void finish(struct maker *maker)
{
    struct profile *profile = maker->profile;
    profile_keep(profile, maker->samples, maker->locations);
    function_set_close(maker->functions);
    token_table_clear(&maker->places);
    token_table_clear(&maker->stacks);
    free(maker->samples);
    free(maker->locations);
    free(maker->published);
    free(maker->stack);
}

struct profile *go_profile_of(const struct go_process *process)
{
    struct profile *profile = profile_new();
    struct maker maker = {.process = process, .profile = profile};
    maker.functions = function_set_open(profile);
    maker.stack = memory_zeroed(process->binary.layout->stack_max + 2u, sizeof(*maker.stack));
    make_types(profile, process);
    make_mappings(profile, process);
    add_sites(&maker);
    put_facts(&maker);
    add_ledger(&maker);
    finish(&maker);
    return profile;
}
