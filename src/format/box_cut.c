#include "box_cut.h"

#include <string.h>

enum { READS_MAX = 64 /* a site this busy all the time is read as it is */ };

static size_t header_bytes(void)
{
    return (sizeof(struct box_header) + 7) & ~(size_t)7;
}

static size_t table_bytes(const struct box_view *view, enum box_table_id id)
{
    return view->tables[id].count * view->tables[id].entry_bytes;
}

/* What marks have written; the next one writes over it. */
static size_t marks_bytes(const struct box_view *view)
{
    return table_bytes(view, BOX_HISTORY) + table_bytes(view, BOX_COLLECTIONS);
}

size_t box_cut_bytes(const struct box_view *view)
{
    return header_bytes() + table_bytes(view, BOX_SITES) + table_bytes(view, BOX_DELTAS) +
           marks_bytes(view);
}

/* What other threads, or another process, may be writing is read whole word by word. */
static void copy_words(void *to, const void *from, size_t size_bytes)
{
    uint64_t *out = to;
    const uint64_t *in = from;
    for (size_t i = 0; i < size_bytes / sizeof(*in); i++)
        out[i] = __atomic_load_n(&in[i], __ATOMIC_RELAXED);
}

/*
 * A running process may be counting. What is freed is read before what was allocated, so that no
 * block can seem freed but never allocated, and once more afterwards: when that has moved, the reader
 * was held up in between, and what it has of the two belongs to two moments.
 */
static void copy_site(void *to, const void *from)
{
    struct box_site *out = to;
    const struct box_site *in = from;
    copy_words(out, in, sizeof(*out));
    for (int i = 0; i < READS_MAX; i++) {
        out->free_objects = __atomic_load_n(&in->free_objects, __ATOMIC_ACQUIRE);
        out->free_bytes = __atomic_load_n(&in->free_bytes, __ATOMIC_ACQUIRE);
        out->alloc_objects = __atomic_load_n(&in->alloc_objects, __ATOMIC_ACQUIRE);
        out->alloc_bytes = __atomic_load_n(&in->alloc_bytes, __ATOMIC_ACQUIRE);
        if (__atomic_load_n(&in->free_objects, __ATOMIC_RELAXED) == out->free_objects &&
            __atomic_load_n(&in->free_bytes, __ATOMIC_RELAXED) == out->free_bytes)
            break;
    }
}

static void copy_chunk(enum box_table_id id, unsigned char *to, const unsigned char *from,
                       size_t size_bytes)
{
    if (id != BOX_SITES) {
        copy_words(to, from, size_bytes);
        return;
    }
    for (size_t at = 0; at < size_bytes; at += sizeof(struct box_site))
        copy_site(to + at, from + at);
}

/* Chunks follow each other without gaps when laid out by index. */
static unsigned char *copy_table(struct box_view *view, enum box_table_id id, unsigned char *room)
{
    struct box_view_table *table = &view->tables[id];
    for (unsigned chunk = 0; chunk < BOX_CHUNKS_MAX; chunk++) {
        uint64_t entries = box_chunk_entries(table->shift, chunk);
        uint64_t first = entries - (1ull << table->shift);
        if (first >= table->count)
            table->chunks[chunk] = NULL;
        if (!table->chunks[chunk])
            continue;
        if (entries > table->count - first)
            entries = table->count - first;
        unsigned char *to = room + first * table->entry_bytes;
        copy_chunk(id, to, table->chunks[chunk], entries * table->entry_bytes);
        table->chunks[chunk] = to;
    }
    return room + table_bytes(view, id);
}

static void copy_marks(struct box_view *view, unsigned char *room)
{
    copy_table(view, BOX_COLLECTIONS, copy_table(view, BOX_HISTORY, room));
}

void box_cut_copy(struct box_view *view, void *room)
{
    unsigned char *at = room;
    copy_words(at, view->header, header_bytes());
    view->header = room;
    at = copy_table(view, BOX_DELTAS, at + header_bytes());
    at = copy_table(view, BOX_SITES, at);
    copy_marks(view, at);
}

static void add_delta(const struct box_view *view, const struct box_delta *delta)
{
    const struct box_lot *lot = box_view_entry(view, BOX_LOTS, delta->lot);
    if (!lot || lot->site == BOX_NONE)
        return;
    /* The view reads our own copy: it may be written. */
    struct box_site *site =
        (struct box_site *)(uintptr_t)box_view_entry(view, BOX_SITES, lot->site);
    if (!site)
        return;
    site->alloc_objects += delta->allocs;
    site->alloc_bytes += (uint64_t)delta->allocs * lot->size_bytes;
    site->free_objects += delta->frees;
    site->free_bytes += (uint64_t)delta->frees * lot->size_bytes;
}

void box_cut_settle(struct box_view *view)
{
    const struct box_view_table *deltas = &view->tables[BOX_DELTAS];
    for (uint64_t i = 1; i < deltas->count; i++) {
        const struct box_delta *delta = box_view_entry(view, BOX_DELTAS, i);
        if (delta && delta->lot != BOX_NONE)
            add_delta(view, delta);
    }
}

/* The deltas of each site: those that were its own when they were listed. */
struct lists {
    uint32_t *first; /* by site: index of a delta; 0: there is none */
    uint32_t *next;  /* by delta */
};

/* What a site's deltas come to. */
struct sum {
    uint64_t allocs, alloc_bytes;
    uint64_t frees, free_bytes;
    uint64_t drains_before, drains_after; /* these only grow: equal sums are equal numbers */
    bool draining;
};

static const struct box_lot *lot_of(const struct box_view *view, const struct box_delta *delta)
{
    /* pairs: drain() in preload/tables/delta.c */
    const struct box_lot *lot =
        box_view_entry(view, BOX_LOTS, __atomic_load_n(&delta->lot, __ATOMIC_ACQUIRE));
    return lot && lot->site < view->tables[BOX_SITES].count ? lot : NULL;
}

static void list_deltas(const struct box_view *view, const struct lists *lists)
{
    memset(lists->first, 0, view->tables[BOX_SITES].count * sizeof(*lists->first));
    for (uint32_t i = 1; i < view->tables[BOX_DELTAS].count; i++) {
        const struct box_delta *delta = box_view_entry(view, BOX_DELTAS, i);
        const struct box_lot *lot = delta ? lot_of(view, delta) : NULL;
        if (!lot)
            continue;
        lists->next[i] = lists->first[lot->site];
        lists->first[lot->site] = i;
    }
}

/* The delta's lot if it is of this site, or NULL: it has been given to another one. */
static const struct box_lot *lot_at_site(const struct box_view *view, const struct box_delta *delta,
                                         uint32_t site)
{
    const struct box_lot *lot = lot_of(view, delta);
    return lot && lot->site == site ? lot : NULL;
}

static void sum_drains(struct sum *sum, uint64_t *drains, uint32_t seen)
{
    *drains += seen;
    sum->draining |= seen & 1;
}

/* What is freed comes first, as in copy_site(), which goes in between. */
static void sum_frees(const struct box_view *view, const struct lists *lists, uint32_t site,
                      struct sum *sum)
{
    for (uint32_t i = lists->first[site]; i != BOX_NONE; i = lists->next[i]) {
        const struct box_delta *delta = box_view_entry(view, BOX_DELTAS, i);
        sum_drains(sum, &sum->drains_before, __atomic_load_n(&delta->drains, __ATOMIC_ACQUIRE));
        const struct box_lot *lot = lot_at_site(view, delta, site);
        if (!lot)
            continue;
        uint32_t frees = __atomic_load_n(&delta->frees, __ATOMIC_ACQUIRE);
        sum->frees += frees;
        sum->free_bytes += (uint64_t)frees * lot->size_bytes;
    }
}

static void sum_allocs(const struct box_view *view, const struct lists *lists, uint32_t site,
                       struct sum *sum)
{
    for (uint32_t i = lists->first[site]; i != BOX_NONE; i = lists->next[i]) {
        const struct box_delta *delta = box_view_entry(view, BOX_DELTAS, i);
        const struct box_lot *lot = lot_at_site(view, delta, site);
        if (lot) {
            uint32_t allocs = __atomic_load_n(&delta->allocs, __ATOMIC_ACQUIRE);
            sum->allocs += allocs;
            sum->alloc_bytes += (uint64_t)allocs * lot->size_bytes;
        }
        sum_drains(sum, &sum->drains_after, __atomic_load_n(&delta->drains, __ATOMIC_RELAXED));
    }
}

/* Whether nothing has moved from the deltas to the site meanwhile. */
static bool read_once(const struct box_view *view, const struct lists *lists, uint32_t index,
                      struct box_site *out)
{
    struct sum sum = {0};
    sum_frees(view, lists, index, &sum);
    copy_site(out, box_view_entry(view, BOX_SITES, index));
    sum_allocs(view, lists, index, &sum);
    out->alloc_objects += sum.allocs;
    out->alloc_bytes += sum.alloc_bytes;
    out->free_objects += sum.frees;
    out->free_bytes += sum.free_bytes;
    return !sum.draining && sum.drains_before == sum.drains_after;
}

static bool read_site(const struct box_view *view, const struct lists *lists, uint32_t index,
                      struct box_site *out)
{
    for (int i = 0; i < READS_MAX; i++)
        if (read_once(view, lists, index, out))
            return true;
    return false;
}

size_t box_cut_read_bytes(const struct box_view *view)
{
    return header_bytes() + table_bytes(view, BOX_SITES) + marks_bytes(view) +
           (view->tables[BOX_SITES].count + view->tables[BOX_DELTAS].count) * sizeof(uint32_t);
}

bool box_cut_read(struct box_view *view, void *room)
{
    const struct box_view source = *view;
    bool whole = true;
    unsigned char *sites = (unsigned char *)room + header_bytes();
    unsigned char *marks = sites + table_bytes(view, BOX_SITES);
    struct lists lists = {.first = (uint32_t *)(marks + marks_bytes(view))};
    lists.next = lists.first + view->tables[BOX_SITES].count;
    copy_words(room, view->header, header_bytes());
    view->header = room;
    list_deltas(&source, &lists); /* first: who is in no list now has been added to its site */
    copy_marks(view, marks);
    copy_table(view, BOX_SITES, sites);
    view->tables[BOX_DELTAS].count = 0; /* their sites will have them */
    for (uint32_t i = 1; i < source.tables[BOX_SITES].count; i++) {
        struct box_site *out = (struct box_site *)(uintptr_t)box_view_entry(view, BOX_SITES, i);
        if (out && lists.first[i] != BOX_NONE)
            whole &= read_site(&source, &lists, i, out);
    }
    return whole;
}
