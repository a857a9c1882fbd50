#include "box_profile.h"

#include "box_facts.h"
#include "box_frames.h"
#include "box_stack.h"
#include "pprof.h"
#include "pprof_out.h"
#include "wire.h"

#include <string.h>

enum { PACKED_BYTES_MAX = BOX_DEPTH_MAX * BOX_STACK_ID_BYTES_MAX + WIRE_STORE_BYTES_MAX };

/* The conversion under way. */
struct conversion {
    const struct box_view *view;
    struct pprof_out *out;
    struct box_frames frames;
    uint64_t kind_key, kinds[BOX_KINDS]; /* strings */
    const struct ledger *ledger;         /* or NULL */
    uint64_t ledger_kind;                /* string */
    struct box_stack stack;              /* of the sample being written */
    const struct age_table *ages;        /* or NULL */
    uint64_t sample_count;               /* written so far */
};

static int64_t to_signed(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* What is left; nothing when, in a moment that was not one moment, more was freed than allocated. */
static int64_t to_live(uint64_t allocated, uint64_t freed)
{
    int64_t live = (int64_t)(allocated - freed);
    return live > 0 ? live : 0;
}

/* Types and times. */

static void put_types(struct pprof_out *out, const struct box_header *header)
{
    static const struct {
        const char type[20], unit[8];
    } types[PPROF_HEAP_VALUES] = PPROF_HEAP_TYPES;
    uint64_t type = 0;
    for (unsigned i = 0; i < PPROF_HEAP_VALUES; i++) {
        type = pprof_out_string(out, types[i].type);
        pprof_out_sample_type(out, type, pprof_out_string(out, types[i].unit));
    }
    pprof_out_default_type(out, type);
    uint64_t space = pprof_out_string(out, "space");
    uint64_t period = header->sample_period_bytes;
    pprof_out_period(out, space, pprof_out_string(out, "bytes"),
                     period > 0 ? to_signed(period) : 1);
}

static void put_times(struct pprof_out *out, const struct box_header *header,
                      const struct box_profile_facts *facts)
{
    uint64_t start = header->start_time_ns;
    uint64_t duration = start != 0 && facts->time_ns > start ? facts->time_ns - start : 0;
    pprof_out_time(out, to_signed(facts->time_ns), to_signed(duration));
}

/* Samples. */

static void take_stack(struct conversion *conversion, uint32_t node)
{
    if (box_stack_take(&conversion->stack, node))
        return;
    conversion->stack.lost_location = box_frames_unknown(&conversion->frames);
    box_stack_take(&conversion->stack, node);
}

static int64_t rounded(int64_t parts)
{
    return parts / BOX_OBJECT_PARTS + (parts % BOX_OBJECT_PARTS >= BOX_OBJECT_PARTS / 2);
}

/* Objects since the last mark so that, rounded, collected + since - freed = in use, none of them below zero.
   `freed`: since the mark, in parts; the others are rounded. */
static int64_t since_of_rounded(const int64_t values[PPROF_HEAP_VALUES], int64_t freed)
{
    int64_t in_use = values[PPROF_INUSE_OBJECTS], most = values[PPROF_ALLOC_OBJECTS] - in_use;
    int64_t since =
        in_use + (rounded(freed) < most ? rounded(freed) : most) - values[PPROF_COLLECTED_OBJECTS];
    return since > 0 ? since : 0;
}

/* Objects of a sampled run are counted in parts, but for mappings, which are exact. */
static void round_objects(const struct box_header *header, unsigned kind,
                          int64_t values[PPROF_HEAP_VALUES])
{
    static const enum pprof_heap_value counts[] = {PPROF_ALLOC_OBJECTS, PPROF_COLLECTED_OBJECTS,
                                                   PPROF_SINCE_OBJECTS, PPROF_SURVIVED_OBJECTS,
                                                   PPROF_INUSE_OBJECTS};
    if (!(header->flags & BOX_FLAG_SAMPLED) || kind == BOX_KIND_MMAP)
        return;
    int64_t all = values[PPROF_ALLOC_OBJECTS], then = values[PPROF_COLLECTED_OBJECTS];
    int64_t since = values[PPROF_SINCE_OBJECTS], freed = then + since - values[PPROF_INUSE_OBJECTS];
    for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        values[counts[i]] = rounded(values[counts[i]]);
    if (freed >= 0 && then + since <= all) /* else a site's history had no room */
        values[PPROF_SINCE_OBJECTS] = since_of_rounded(values, freed);
}

/* What there is of a site. */
struct part {
    const struct box_site *site;
    const struct box_history *history; /* or NULL */
    const struct age_site *age;        /* or NULL */
    uint64_t resident_bytes;
};

static void read_ages(const struct part *part, int64_t values[PPROF_HEAP_VALUES])
{
    if (!part->age)
        return;
    uint64_t bytes = 0;
    for (unsigned i = 1; i < AGE_COHORTS; i++)
        bytes += part->age->bytes[i];
    values[PPROF_SURVIVED_OBJECTS] = to_signed(part->age->survived_objects);
    values[PPROF_SURVIVED_SPACE] = to_signed(bytes);
}

/* A site's values by sample type; false when all are zero. */
static bool read_values(const struct part *part, int64_t values[PPROF_HEAP_VALUES])
{
    static const struct box_history none;
    const struct box_site *site = part->site;
    const struct box_history *history = part->history ? part->history : &none;
    values[PPROF_ALLOC_OBJECTS] = to_signed(site->alloc_objects);
    values[PPROF_ALLOC_SPACE] = to_signed(site->alloc_bytes);
    values[PPROF_COLLECTED_OBJECTS] = to_live(site->collected_objects, 0);
    values[PPROF_COLLECTED_SPACE] = to_live(site->collected_bytes, 0);
    values[PPROF_SINCE_OBJECTS] = to_live(site->alloc_objects, history->alloc_objects);
    values[PPROF_SINCE_SPACE] = to_live(site->alloc_bytes, history->alloc_bytes);
    read_ages(part, values);
    values[PPROF_RESIDENT_SPACE] = to_signed(part->resident_bytes);
    values[PPROF_INUSE_OBJECTS] = to_live(site->alloc_objects, site->free_objects);
    /* Objects and bytes are counted one after the other: without objects there are no bytes. */
    values[PPROF_INUSE_SPACE] =
        values[PPROF_INUSE_OBJECTS] > 0 ? to_live(site->alloc_bytes, site->free_bytes) : 0;
    for (unsigned i = 0; i < PPROF_HEAP_VALUES; i++)
        if (values[i] != 0)
            return true;
    return false;
}

/* A sample of nothing but resident bytes, with these frames. */
static void put_resident(struct conversion *conversion, uint64_t bytes, const unsigned char *packed,
                         size_t packed_bytes)
{
    int64_t values[PPROF_HEAP_VALUES] = {[PPROF_RESIDENT_SPACE] = to_signed(bytes)};
    struct pprof_label label = {.key = conversion->kind_key, .text = conversion->ledger_kind};
    struct pprof_sample sample = {.values = values,
                                  .value_count = PPROF_HEAP_VALUES,
                                  .labels = &label,
                                  .label_count = 1,
                                  .packed = packed,
                                  .packed_bytes = packed_bytes};
    pprof_out_sample(conversion->out, &sample);
    conversion->sample_count++;
}

/* The stack of a site, with the frame of a category at its leaf or at its root. */
static void put_share(struct conversion *conversion, const struct box_site *site,
                      enum ledger_category category, uint64_t bytes)
{
    unsigned char packed[PACKED_BYTES_MAX], *at = packed;
    size_t stack_bytes;
    uint64_t frame = conversion->frames.roots[category];
    if (bytes == 0)
        return;
    take_stack(conversion, site->node);
    const unsigned char *stack = box_stack_bytes(&conversion->stack, &stack_bytes);
    if (category != LEDGER_IDLE)
        at = wire_store_varint(at, frame);
    memcpy(at, stack, stack_bytes);
    at += stack_bytes;
    if (category == LEDGER_IDLE)
        at = wire_store_varint(at, frame);
    put_resident(conversion, bytes, packed, (size_t)(at - packed));
}

static void put_shares(struct conversion *conversion, const struct box_site *site,
                       const struct ledger_site *resident)
{
    put_share(conversion, site, LEDGER_SLACK, resident->slack_bytes);
    put_share(conversion, site, LEDGER_PINNED, resident->pinned_bytes);
    put_share(conversion, site, LEDGER_HUGE, resident->huge_bytes);
    put_share(conversion, site, LEDGER_IDLE, resident->idle_bytes);
}

static void put_lines(struct conversion *conversion)
{
    const struct ledger *ledger = conversion->ledger;
    uint64_t location = conversion->frames.line_location;
    for (size_t i = 0; ledger && i < ledger->line_count; i++) {
        const struct ledger_line *line = &ledger->lines[i];
        unsigned char packed[2 * WIRE_STORE_BYTES_MAX], *at = packed;
        if (line->name[0] != '\0')
            at = wire_store_varint(at, ++location);
        at = wire_store_varint(at, conversion->frames.roots[line->category]);
        put_resident(conversion, line->bytes, packed, (size_t)(at - packed));
    }
}

/* What the sample being written has been through. */
static void put_site_fact(const struct conversion *conversion, const struct part *part)
{
    const struct box_facts_site site = {
        .marks = conversion->view->header->collections, .history = part->history, .age = part->age};
    box_facts_site(conversion->out, conversion->sample_count, &site);
}

static void put_sample(struct conversion *conversion, const struct part *part)
{
    int64_t values[PPROF_HEAP_VALUES] = {0};
    const struct box_site *site = part->site;
    if (!read_values(part, values))
        return;
    unsigned kind = site->kind < BOX_KINDS ? site->kind : BOX_KIND_MALLOC;
    round_objects(conversion->view->header, kind, values);
    struct pprof_label label = {.key = conversion->kind_key, .text = conversion->kinds[kind]};
    struct pprof_sample sample = {
        .values = values, .value_count = PPROF_HEAP_VALUES, .labels = &label, .label_count = 1};
    take_stack(conversion, site->node);
    sample.packed = box_stack_bytes(&conversion->stack, &sample.packed_bytes);
    pprof_out_sample(conversion->out, &sample);
    if (conversion->view->header->collections > 0)
        put_site_fact(conversion, part);
    conversion->sample_count++;
}

/* Of a site that has anything: the pages of others were never touched. */
static const struct age_site *age_at(const struct age_table *ages, const struct box_site *site,
                                     uint64_t index)
{
    bool any = site &&
               (site->alloc_objects != site->free_objects || site->alloc_bytes != site->free_bytes);
    return any && ages && index < ages->site_count ? &ages->sites[index] : NULL;
}

static void put_site(struct conversion *conversion, uint64_t index)
{
    const struct box_view *view = conversion->view;
    const struct ledger *ledger = conversion->ledger;
    struct part part = {.site = box_view_entry(view, BOX_SITES, index),
                        .history = box_view_entry(view, BOX_HISTORY, index)};
    part.age = age_at(conversion->ages, part.site, index);
    if (!part.site || conversion->out->failed)
        return;
    bool measured = ledger && index < ledger->site_count;
    part.resident_bytes = measured ? ledger->sites[index].live_bytes : part.site->resident_bytes;
    put_sample(conversion, &part);
    if (measured)
        put_shares(conversion, part.site, &ledger->sites[index]);
}

static void put_samples(struct conversion *conversion)
{
    static const char kinds[BOX_KINDS][8] = PPROF_MEM_KINDS;
    box_stack_open(&conversion->stack, conversion->view, conversion->frames.location_count);
    conversion->kind_key = pprof_out_string(conversion->out, PPROF_LABEL_MEM_KIND);
    for (unsigned i = 0; i < BOX_KINDS; i++)
        conversion->kinds[i] = pprof_out_string(conversion->out, kinds[i]);
    conversion->ledger_kind = pprof_out_string(conversion->out, LEDGER_MEM_KIND);
    for (uint64_t i = 1; i < conversion->view->tables[BOX_SITES].count; i++)
        put_site(conversion, i);
    put_lines(conversion);
}

bool box_profile_write(const struct box_view *view, const struct box_profile_facts *facts,
                       struct sink *sink)
{
    struct pprof_out out;
    struct conversion conversion = {.view = view,
                                    .out = &out,
                                    .frames = {.view = view, .out = &out},
                                    .ledger = facts->ledger,
                                    .ages = facts->ages};
    const struct box_header *header = view->header;
    pprof_out_open(&out, sink);
    put_types(&out, header);
    put_times(&out, header, facts);
    box_facts_put(&out, view, facts);
    box_frames_put(&conversion.frames, facts->ledger);
    put_samples(&conversion);
    return pprof_out_close(&out);
}
