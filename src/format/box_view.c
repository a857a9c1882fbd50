#include "box_view.h"

#include <string.h>

enum {
    SHIFT_MAX = 31, /* chunk 0 alone would hold half of all indexes */
    CHUNK_ALIGN = 8 /* entries hold 64-bit numbers */
};

/* Entries name each other by 32-bit numbers, and one more than all is a number too. */
#define INDEXES_MAX UINT32_MAX

static bool ends(const char *text, size_t room_bytes)
{
    return strnlen(text, room_bytes) < room_bytes;
}

static bool texts_end(const struct box_header *header)
{
    return ends(header->name, sizeof(header->name)) && ends(header->host, sizeof(header->host)) &&
           ends(header->allocator, sizeof(header->allocator)) &&
           ends(header->pattern, sizeof(header->pattern)) &&
           ends(header->executable, sizeof(header->executable)) &&
           ends(header->command_line, sizeof(header->command_line)) &&
           ends(header->options, sizeof(header->options));
}

static const char *check_header(const struct box_header *header, size_t size_bytes)
{
    if (size_bytes < sizeof(header->magic) ||
        memcmp(header->magic, BOX_MAGIC, sizeof(header->magic)) != 0)
        return "not a black box";
    if (size_bytes < BOX_HEADER_BYTES)
        return "truncated black box";
    if (header->version != BOX_VERSION || header->header_bytes != sizeof(*header))
        return "black box of another version of heapdiff";
    uint32_t state = __atomic_load_n(&header->state, __ATOMIC_ACQUIRE); /* pairs: the preload */
    if (state == BOX_STATE_NEW)
        return "black box of a process that had not begun yet";
    if (state > BOX_STATE_DONE || !texts_end(header))
        return "damaged black box header";
    return NULL;
}

/* Entries up to the end of the last chunk that is there: what a count can rightly be at most. */
static uint64_t reachable_entries(const struct box_view_table *table)
{
    unsigned chunks = BOX_CHUNKS_MAX;
    while (chunks > 0 && !table->chunks[chunks - 1])
        chunks--;
    return (1ull << (table->shift + chunks)) - (1ull << table->shift);
}

static const char *open_chunk(struct box_view_table *table, unsigned chunk, uint64_t at,
                              const unsigned char *bytes, size_t size_bytes)
{
    uint64_t chunk_bytes;
    table->chunks[chunk] = NULL;
    if (at == 0)
        return NULL;
    if (at < BOX_HEADER_BYTES || at % CHUNK_ALIGN != 0)
        return "damaged black box: a table lies in the wrong place";
    if (__builtin_mul_overflow(box_chunk_entries(table->shift, chunk), table->entry_bytes,
                               &chunk_bytes) ||
        at > size_bytes || chunk_bytes > size_bytes - at)
        return "truncated black box";
    table->chunks[chunk] = bytes + at;
    return NULL;
}

static const char *open_table(struct box_view_table *table, const struct box_table *source,
                              const unsigned char *bytes, size_t size_bytes)
{
    table->shift = source->shift;
    if (source->entry_bytes != table->entry_bytes || table->shift > SHIFT_MAX)
        return "damaged black box: a table has the wrong shape";
    table->count = __atomic_load_n(&source->count, __ATOMIC_ACQUIRE); /* pairs: the preload */
    for (unsigned chunk = 0; chunk < BOX_CHUNKS_MAX; chunk++) {
        const char *reason = open_chunk(table, chunk, source->chunk_at[chunk], bytes, size_bytes);
        if (reason)
            return reason;
    }
    uint64_t reachable = reachable_entries(table);
    if (table->count > reachable)
        table->count = reachable;
    if (table->count > INDEXES_MAX)
        table->count = INDEXES_MAX;
    return NULL;
}

const char *box_view_open(struct box_view *view, const void *bytes, size_t size_bytes)
{
    static const unsigned entry_bytes[BOX_TABLES] = BOX_ENTRY_BYTES;
    /* Those that name come before those that are named: in a process that goes on, every index in
       an entry within its count is then within the count of its table. */
    static const enum box_table_id order[BOX_TABLES] = {BOX_HISTORY, BOX_COLLECTIONS, BOX_DELTAS,
                                                        BOX_LOTS,    BOX_SITES,       BOX_NODES,
                                                        BOX_PCS,     BOX_MAPPINGS,    BOX_TEXT};
    const struct box_header *header = bytes;
    const char *reason = check_header(header, size_bytes);
    for (unsigned i = 0; !reason && i < BOX_TABLES; i++) {
        struct box_view_table *table = &view->tables[order[i]];
        table->entry_bytes = entry_bytes[order[i]];
        reason = open_table(table, &header->tables[order[i]], bytes, size_bytes);
    }
    view->header = header;
    return reason;
}

const char *box_view_text(const struct box_view *view, uint32_t index)
{
    const struct box_view_table *text = &view->tables[BOX_TEXT];
    const char *from = box_view_entry(view, BOX_TEXT, index);
    if (!from)
        return "";
    unsigned chunk = box_chunk_of(index, text->shift);
    uint64_t left = box_chunk_entries(text->shift, chunk) - box_place_of(index, text->shift, chunk);
    if (left > text->count - index)
        left = text->count - index;
    if (left > BOX_TEXT_BYTES_MAX)
        left = BOX_TEXT_BYTES_MAX;
    return ends(from, left) ? from : "";
}
