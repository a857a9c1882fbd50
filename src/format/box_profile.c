#include "box_profile.h"

#include "box_stack.h"
#include "pprof.h"
#include "pprof_out.h"
#include "wire.h"

#include <string.h>

#define LOST_NAME    "[lost]"    /* what was in a chunk that did not fit into the file */
#define UNKNOWN_NAME "[unknown]" /* code outside of every file: JIT */
#define LEDGER_NAME  "[ledger]"  /* where frames are that stand for memory, not for code */

enum {
    DECIMAL_BYTES_MAX = 20, /* digits of 2^64 - 1 */
    WORDS_BYTES_MAX = 512,  /* 19 numbers and their keys */
    LOST_FUNCTION = 1,      /* ids of functions: only made-up frames have any */
    LEDGER_FUNCTION = 1,    /* added to a location's id: that of its frame */
    PACKED_BYTES_MAX = BOX_DEPTH_MAX * BOX_STACK_ID_BYTES_MAX + WIRE_STORE_BYTES_MAX
};

/* The conversion under way. Location i is BOX_PCS entry i; ids of what is made up come after. */
struct conversion {
    const struct box_view *view;
    struct pprof_out *out;
    uint64_t location_count;                /* pcs without the sentinel */
    uint32_t main_mapping;                  /* index in BOX_MAPPINGS; 0: none */
    uint64_t mapping_count;                 /* mappings written so far; the last one's id */
    uint64_t unknown_mapping, lost_mapping; /* ids; 0: not written yet */
    uint64_t lost_name;                     /* string */
    uint64_t kind_key, kinds[BOX_KINDS];    /* strings */
    const struct ledger *ledger;            /* or NULL */
    uint64_t ledger_kind;                   /* string */
    uint64_t last_location;                 /* written so far */
    uint64_t roots[LEDGER_CATEGORIES];      /* locations */
    uint64_t line_location;       /* the location before that of the first line that has a name */
    struct box_stack stack;       /* of the sample being written */
    const struct age_table *ages; /* or NULL */
    uint64_t sample_count;        /* written so far */
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

/* Facts: comments. */

static void put_fact(struct pprof_out *out, const char *key, const char *text, size_t size_bytes)
{
    const struct pprof_text parts[] = {
        {PPROF_FACT_PREFIX, strlen(PPROF_FACT_PREFIX)},
        {key, strlen(key)},
        {": ", 2},
        {text, size_bytes},
    };
    if (size_bytes > 0)
        pprof_out_comment(out, pprof_out_join(out, parts, sizeof(parts) / sizeof(parts[0])));
}

static void put_text_fact(struct pprof_out *out, const char *key, const char *text,
                          size_t room_bytes)
{
    put_fact(out, key, text, strnlen(text, room_bytes));
}

static void put_number_fact(struct pprof_out *out, const char *key, uint64_t value, bool negative)
{
    char digits[DECIMAL_BYTES_MAX + 1];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    if (negative)
        digits[--at] = '-';
    put_fact(out, key, digits + at, sizeof(digits) - at);
}

static void put_count_fact(struct pprof_out *out, const char *key, uint64_t value)
{
    put_number_fact(out, key, value, false);
}

static void put_signed_fact(struct pprof_out *out, const char *key, int64_t value)
{
    put_number_fact(out, key, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
}

/* For numbers whose 0 means unknown. */
static void put_known_fact(struct pprof_out *out, const char *key, uint64_t value)
{
    if (value != 0)
        put_count_fact(out, key, value);
}

/* Facts of several words: KEY=VALUE. */
struct words {
    char bytes[WORDS_BYTES_MAX];
    size_t length;
};

static void add_text(struct words *words, const char *text, size_t room_bytes)
{
    size_t bytes = strnlen(text, room_bytes);
    if (bytes > sizeof(words->bytes) - words->length)
        bytes = sizeof(words->bytes) - words->length;
    memcpy(words->bytes + words->length, text, bytes);
    words->length += bytes;
}

static void add_number(struct words *words, uint64_t value)
{
    char digits[DECIMAL_BYTES_MAX];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    add_text(words, digits + at, sizeof(digits) - at);
}

static void add_key(struct words *words, const char *key)
{
    if (words->length > 0)
        add_text(words, " ", 1);
    add_text(words, key, strlen(key));
    add_text(words, "=", 1);
}

static void add_known(struct words *words, const char *key, uint64_t value)
{
    if (value == 0)
        return;
    add_key(words, key);
    add_number(words, value);
}

static void add_word(struct words *words, const char *key, const char *text, size_t room_bytes)
{
    if (strnlen(text, room_bytes) == 0)
        return;
    add_key(words, key);
    add_text(words, text, room_bytes);
}

/* Under a key that ends in a number. */
static void put_words(struct pprof_out *out, const char *key, uint64_t number,
                      const struct words *words)
{
    struct words whole = {.length = 0};
    add_text(&whole, key, strlen(key));
    add_number(&whole, number);
    whole.bytes[whole.length] = '\0'; /* a key is short */
    put_fact(out, whole.bytes, words->bytes, words->length);
}

/* Collections. */

static void put_collection(struct pprof_out *out, const struct box_collection *entry)
{
    static const char truths[BOX_TRUTHS][16] = PPROF_TRUTHS, kinds[2][8] = {"minor", "full"};
    struct words words = {.length = 0};
    add_word(&words, "source", entry->source, sizeof(entry->source));
    add_word(&words, "kind", kinds[entry->is_full != 0], sizeof(kinds[0]));
    if (entry->truth < BOX_TRUTHS)
        add_word(&words, "truth", truths[entry->truth], sizeof(truths[0]));
    add_known(&words, "time_ns", entry->time_ns);
    add_known(&words, "mark", entry->mark);
    add_known(&words, "before", entry->before_bytes);
    add_known(&words, "after", entry->after_bytes);
    add_known(&words, "pause_ns", entry->pause_ns);
    add_known(&words, "rss_before", entry->rss_before_bytes);
    add_known(&words, "rss", entry->rss_bytes);
    add_known(&words, "goal", entry->goal_bytes);
    add_word(&words, "reason", entry->reason, sizeof(entry->reason));
    put_words(out, PPROF_FACT_COLLECTION, entry->number, &words);
}

/* The oldest that is kept comes first. */
static void put_collections(struct pprof_out *out, const struct box_view *view)
{
    uint64_t count = view->header->collection_count;
    uint64_t first = count > BOX_COLLECTIONS_KEPT ? count - BOX_COLLECTIONS_KEPT : 0;
    for (uint64_t i = first; i < count; i++) {
        const struct box_collection *entry =
            box_view_entry(view, BOX_COLLECTIONS, 1 + i % BOX_COLLECTIONS_KEPT);
        if (entry && entry->number == i + 1)
            put_collection(out, entry);
    }
}

static void add_ages(struct words *words, const struct age_site *age)
{
    for (unsigned i = 0; age && i < AGE_COHORTS; i++) {
        const char key[] = {(char)('0' + i), '\0'};
        add_known(words, key, age->bytes[i]);
    }
}

/* Bytes at the last marks, the oldest first; runs of equal ones as one. */
static void add_history(struct words *words, const struct box_history *history, uint64_t marks)
{
    uint64_t bytes[BOX_HISTORY_MARKS], any = 0;
    unsigned count = marks < BOX_HISTORY_MARKS ? (unsigned)marks : BOX_HISTORY_MARKS;
    for (unsigned i = 0; i < count; i++) {
        bytes[i] = history->live_bytes[(marks - count + 1 + i) % BOX_HISTORY_MARKS];
        any |= bytes[i];
    }
    if (any == 0)
        return;
    add_key(words, "h");
    for (unsigned i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && bytes[end] == bytes[i]; end++)
            ;
        if (i > 0)
            add_text(words, ",", 1);
        add_number(words, bytes[i]);
        if (end > i + 1) {
            add_text(words, "x", 1);
            add_number(words, end - i);
        }
    }
}

static void put_program_facts(struct pprof_out *out, const struct box_header *header)
{
    put_text_fact(out, PPROF_FACT_VERSION, HEAPDIFF_VERSION, sizeof(HEAPDIFF_VERSION));
    put_text_fact(out, PPROF_FACT_PROGRAM, header->name, sizeof(header->name));
    put_known_fact(out, PPROF_FACT_PID, header->pid > 0 ? (uint64_t)header->pid : 0);
    put_known_fact(out, PPROF_FACT_PARENT,
                   header->parent_pid > 0 ? (uint64_t)header->parent_pid : 0);
    put_text_fact(out, PPROF_FACT_COMMAND_LINE, header->command_line, sizeof(header->command_line));
    put_text_fact(out, PPROF_FACT_HOST, header->host, sizeof(header->host));
    put_text_fact(out, PPROF_FACT_ALLOCATOR, header->allocator, sizeof(header->allocator));
    put_text_fact(out, PPROF_FACT_OPTIONS, header->options, sizeof(header->options));
}

static void put_moment_facts(struct pprof_out *out, const struct box_header *header,
                             const struct box_profile_facts *facts)
{
    put_known_fact(out, PPROF_FACT_START_TIME, header->start_time_ns);
    put_known_fact(out, PPROF_FACT_SNAPSHOT_TIME, facts->time_ns);
    put_text_fact(out, PPROF_FACT_SOURCE, facts->source ? facts->source : "", 64);
    put_known_fact(out, PPROF_FACT_RSS, facts->rss_bytes ? facts->rss_bytes : header->rss_bytes);
    put_known_fact(out, PPROF_FACT_RSS_PEAK,
                   facts->rss_peak_bytes ? facts->rss_peak_bytes : header->rss_peak_bytes);
    put_known_fact(out, PPROF_FACT_OWN, header->own_bytes);
    put_known_fact(out, PPROF_FACT_THREADS, facts->threads ? facts->threads : header->threads);
    put_count_fact(out, PPROF_FACT_COLLECTIONS, header->collections);
    put_known_fact(out, PPROF_FACT_COLLECTION_TIME, header->collection_time_ns);
    put_known_fact(out, PPROF_FACT_PEAK, header->peak_bytes);
    put_known_fact(out, PPROF_FACT_PEAK_TIME, header->peak_time_ns);
    put_known_fact(out, PPROF_FACT_AGES, facts->ages != NULL);
}

static void put_sum_facts(struct pprof_out *out, const struct ledger *ledger)
{
    static const char names[LEDGER_SOURCES][16] = LEDGER_SOURCE_NAMES;
    enum ledger_source source = ledger ? ledger->source : LEDGER_NOT_MEASURED;
    put_text_fact(out, PPROF_FACT_LEDGER_SOURCE, names[source], sizeof(names[0]));
    if (source == LEDGER_NOT_MEASURED)
        return;
    put_count_fact(out, PPROF_FACT_LEDGER_RSS, ledger->rss_bytes);
    put_signed_fact(out, PPROF_FACT_LEDGER_DRIFT, (int64_t)(ledger->rss_bytes - ledger->sum_bytes));
    put_known_fact(out, PPROF_FACT_LEDGER_STOPPED, ledger->stopped);
}

/* What is no part of the sum; forecasts. */
static void put_ledger_facts(struct pprof_out *out, const struct ledger *ledger)
{
    put_sum_facts(out, ledger);
    if (!ledger)
        return;
    put_known_fact(out, PPROF_FACT_SWAP, ledger->swap_bytes);
    put_known_fact(out, PPROF_FACT_PAGE_TABLES, ledger->page_table_bytes);
    put_known_fact(out, PPROF_FACT_HUGETLB, ledger->hugetlb_bytes);
    put_known_fact(out, PPROF_FACT_PSS, ledger->pss_bytes);
    put_known_fact(out, PPROF_FACT_USS, ledger->uss_bytes);
    put_known_fact(out, PPROF_FACT_LAZY_FREE, ledger->lazy_free_bytes);
    put_known_fact(out, PPROF_FACT_HUGE_PAGES, ledger->huge_page_bytes);
    put_known_fact(out, PPROF_FACT_CGROUP, ledger->cgroup_bytes);
    put_known_fact(out, PPROF_FACT_CGROUP_LIMIT, ledger->cgroup_limit_bytes);
    put_known_fact(out, PPROF_FACT_TRIM, ledger->trim_bytes);
    put_known_fact(out, PPROF_FACT_TRIM_LIMIT, ledger->trim_is_limit);
    put_known_fact(out, PPROF_FACT_PURGE, ledger->purge_bytes);
}

static void put_lost_facts(struct pprof_out *out, const struct box_header *header)
{
    put_count_fact(out, PPROF_FACT_LOST_BLOCKS, header->lost.blocks);
    put_count_fact(out, PPROF_FACT_LOST_NESTED, header->lost.nested_events);
    put_count_fact(out, PPROF_FACT_LOST_CUT, header->lost.cut_stacks);
    put_count_fact(out, PPROF_FACT_LOST_UNWIND, header->lost.unwind_ends);
    put_count_fact(out, PPROF_FACT_LOST_RANGES, header->lost.ranges);
    put_count_fact(out, PPROF_FACT_LOST_SNAPSHOTS, header->lost.snapshots);
    put_known_fact(out, PPROF_FACT_LOST_HISTORIES, header->lost.histories);
    put_known_fact(out, PPROF_FACT_UNCLEAN_CUTS, header->lost.cuts);
    put_known_fact(out, PPROF_FACT_UNWIND_CHECKED, header->unwind_checked);
    put_known_fact(out, PPROF_FACT_UNWIND_DIFFER, header->unwind_differences);
    put_known_fact(out, PPROF_FACT_UNWIND_FULL, header->unwind_full);
    put_known_fact(out, PPROF_FACT_SPILLED, (header->flags & BOX_FLAG_SPILLED) != 0);
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

/* Mappings: the program's own first, then the others in their order, then made-up ones. */

static uint64_t put_made_up_mapping(struct conversion *conversion, uint64_t name)
{
    struct pprof_mapping mapping = {.id = ++conversion->mapping_count, .filename = name};
    pprof_out_mapping(conversion->out, &mapping);
    return mapping.id;
}

static uint64_t unknown_mapping(struct conversion *conversion)
{
    if (conversion->unknown_mapping == 0)
        conversion->unknown_mapping =
            put_made_up_mapping(conversion, pprof_out_string(conversion->out, UNKNOWN_NAME));
    return conversion->unknown_mapping;
}

static uint64_t lost_mapping(struct conversion *conversion)
{
    if (conversion->lost_mapping == 0) {
        conversion->lost_name = pprof_out_string(conversion->out, LOST_NAME);
        conversion->lost_mapping = put_made_up_mapping(conversion, conversion->lost_name);
    }
    return conversion->lost_mapping;
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

static void put_mapping(struct conversion *conversion, uint32_t index)
{
    const struct box_mapping *source = box_view_entry(conversion->view, BOX_MAPPINGS, index);
    struct pprof_mapping mapping = {.id = ++conversion->mapping_count};
    const char *path = LOST_NAME;
    if (source) {
        mapping.start = source->start;
        mapping.limit = source->limit;
        mapping.offset = source->offset;
        mapping.build_id = put_build_id(conversion->out, source);
        path = box_view_text(conversion->view, source->path);
    }
    size_t length = strnlen(path, BOX_TEXT_BYTES_MAX);
    mapping.filename = length > 0 ? pprof_out_bytes(conversion->out, path, length)
                                  : pprof_out_string(conversion->out, UNKNOWN_NAME);
    pprof_out_mapping(conversion->out, &mapping);
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

static void put_mappings(struct conversion *conversion)
{
    conversion->main_mapping = find_main_mapping(conversion->view);
    if (conversion->main_mapping != BOX_NONE)
        put_mapping(conversion, conversion->main_mapping);
    for (uint32_t i = 1; i < mapping_entries(conversion->view); i++)
        if (i != conversion->main_mapping)
            put_mapping(conversion, i);
}

/* The id that put_mappings() gave to entry `index`. */
static uint64_t mapping_id(struct conversion *conversion, uint32_t index)
{
    if (index == BOX_NONE || index >= mapping_entries(conversion->view))
        return unknown_mapping(conversion);
    if (index == conversion->main_mapping)
        return 1;
    return index < conversion->main_mapping ? (uint64_t)index + 1 : index;
}

/* Locations. */

static void put_lost_location(struct conversion *conversion, uint64_t id)
{
    bool first = conversion->lost_mapping == 0;
    uint64_t mapping = lost_mapping(conversion);
    if (first) {
        struct pprof_function function = {.id = LOST_FUNCTION, .name = conversion->lost_name};
        function.system_name = conversion->lost_name;
        pprof_out_function(conversion->out, &function);
    }
    struct pprof_line line = {.function = LOST_FUNCTION};
    struct pprof_location location = {
        .id = id, .mapping = mapping, .lines = &line, .line_count = 1};
    pprof_out_location(conversion->out, &location);
}

static void put_location(struct conversion *conversion, uint32_t index)
{
    const struct box_pc *pc = box_view_entry(conversion->view, BOX_PCS, index);
    if (!pc) {
        put_lost_location(conversion, index);
        return;
    }
    struct pprof_location location = {.id = index, .address = pc->address};
    if (!(pc->flags & BOX_PC_EXACT) && location.address > 0)
        location.address--; /* into the call */
    location.mapping = mapping_id(conversion, pc->mapping);
    pprof_out_location(conversion->out, &location);
}

static void put_locations(struct conversion *conversion)
{
    uint64_t entries = conversion->view->tables[BOX_PCS].count;
    conversion->location_count = entries > 0 ? entries - 1 : 0;
    for (uint64_t i = 1; i <= conversion->location_count; i++)
        put_location(conversion, (uint32_t)i);
    conversion->last_location = conversion->location_count;
}

/* The location of frames that cannot be known, after all others. */
static uint32_t put_unknown_location(struct conversion *conversion)
{
    uint32_t id = (uint32_t)++conversion->last_location;
    put_lost_location(conversion, id);
    return id;
}

/* The ledger's frames: of categories, then of lines, where they have names. */

static uint64_t put_frame(struct conversion *conversion, uint64_t mapping, const char *text)
{
    uint64_t id = ++conversion->last_location;
    uint64_t name = pprof_out_string(conversion->out, text);
    struct pprof_function function = {
        .id = LEDGER_FUNCTION + id, .name = name, .system_name = name};
    struct pprof_line line = {.function = function.id};
    struct pprof_location location = {
        .id = id, .mapping = mapping, .lines = &line, .line_count = 1};
    pprof_out_function(conversion->out, &function);
    pprof_out_location(conversion->out, &location);
    return id;
}

static void put_frames(struct conversion *conversion)
{
    static const char roots[LEDGER_CATEGORIES][24] = LEDGER_FRAMES;
    const struct ledger *ledger = conversion->ledger;
    if (!ledger)
        return;
    uint64_t name = pprof_out_string(conversion->out, LEDGER_NAME);
    uint64_t mapping = put_made_up_mapping(conversion, name);
    for (unsigned i = 0; i < LEDGER_CATEGORIES; i++)
        if (roots[i][0] != '\0')
            conversion->roots[i] = put_frame(conversion, mapping, roots[i]);
    conversion->line_location = conversion->last_location;
    for (size_t i = 0; i < ledger->line_count; i++)
        if (ledger->lines[i].name[0] != '\0')
            put_frame(conversion, mapping, ledger->lines[i].name);
}

/* Samples. */

static void take_stack(struct conversion *conversion, uint32_t node)
{
    if (box_stack_take(&conversion->stack, node))
        return;
    conversion->stack.lost_location = put_unknown_location(conversion);
    box_stack_take(&conversion->stack, node);
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
    for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        int64_t parts = values[counts[i]], rest = parts % BOX_OBJECT_PARTS;
        values[counts[i]] = parts / BOX_OBJECT_PARTS + (rest >= BOX_OBJECT_PARTS / 2);
    }
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
    uint64_t frame = conversion->roots[category];
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
    uint64_t location = conversion->line_location;
    for (size_t i = 0; ledger && i < ledger->line_count; i++) {
        const struct ledger_line *line = &ledger->lines[i];
        unsigned char packed[2 * WIRE_STORE_BYTES_MAX], *at = packed;
        if (line->name[0] != '\0')
            at = wire_store_varint(at, ++location);
        at = wire_store_varint(at, conversion->roots[line->category]);
        put_resident(conversion, line->bytes, packed, (size_t)(at - packed));
    }
}

/* What the sample being written has been through. */
static void put_site_fact(struct conversion *conversion, const struct part *part)
{
    uint64_t marks = conversion->view->header->collections;
    struct words words = {.length = 0};
    if (marks == 0)
        return;
    add_ages(&words, part->age);
    if (part->history) {
        add_history(&words, part->history, marks);
        add_known(&words, "p", part->history->peak_bytes);
    }
    if (words.length > 0)
        put_words(conversion->out, PPROF_FACT_SITE, conversion->sample_count, &words);
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
    put_site_fact(conversion, part);
    conversion->sample_count++;
}

static void put_site(struct conversion *conversion, uint64_t index)
{
    const struct box_view *view = conversion->view;
    const struct age_table *ages = conversion->ages;
    const struct ledger *ledger = conversion->ledger;
    struct part part = {.site = box_view_entry(view, BOX_SITES, index),
                        .history = box_view_entry(view, BOX_HISTORY, index),
                        .age = ages && index < ages->site_count ? &ages->sites[index] : NULL};
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
    box_stack_open(&conversion->stack, conversion->view, conversion->location_count);
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
    struct conversion conversion = {
        .view = view, .out = &out, .ledger = facts->ledger, .ages = facts->ages};
    const struct box_header *header = view->header;
    pprof_out_open(&out, sink);
    put_types(&out, header);
    put_times(&out, header, facts);
    put_program_facts(&out, header);
    put_moment_facts(&out, header, facts);
    put_lost_facts(&out, header);
    put_ledger_facts(&out, facts->ledger);
    put_collections(&out, view);
    put_mappings(&conversion);
    put_locations(&conversion);
    put_frames(&conversion);
    put_samples(&conversion);
    return pprof_out_close(&out);
}
