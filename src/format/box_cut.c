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

size_t box_cut_bytes(const struct box_view *view)
{
    return header_bytes() + table_bytes(view, BOX_SITES) + table_bytes(view, BOX_DELTAS);
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

void box_cut_copy(struct box_view *view, void *room)
{
    unsigned char *at = room;
    copy_words(at, view->header, header_bytes());
    view->header = room;
    at = copy_table(view, BOX_DELTAS, at + header_bytes());
    copy_table(view, BOX_SITES, at);
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
