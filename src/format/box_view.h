/*
 * box_view.h - the tables of a black box, read in place.
 *
 * What it is: per table a count and one pointer a chunk, taken either from a live process's own
 *   memory (the preload fills it in) or from a file's bytes that box_view_open() has validated.
 * Owns: nothing; it points into the memory it was made from.
 * Context: any; no allocation, no libc beyond memcpy.
 * Not here: turning it into a profile (box_profile.h).
 */
#ifndef HEAPDIFF_FORMAT_BOX_VIEW_H
#define HEAPDIFF_FORMAT_BOX_VIEW_H

#include "box.h"

#include <stdbool.h>

struct box_view_table {
    uint64_t count; /* entries that may be read; those in chunks that are absent read as NULL */
    unsigned shift;
    unsigned entry_bytes;
    const unsigned char *chunks[BOX_CHUNKS_MAX]; /* NULL: absent */
};

struct box_view {
    const struct box_header *header;
    struct box_view_table tables[BOX_TABLES];
};

/*
 * Validates `size_bytes` bytes of a black box file at `bytes` (page aligned) and fills in `view`.
 * Returns NULL on success, else a static reason ("not a black box", "truncated", "another version",
 * ...). The file may be hostile or still growing: nothing read through the view leaves the bytes.
 */
const char *box_view_open(struct box_view *view, const void *bytes, size_t size_bytes);

/* Entry `index` of table `table`, or NULL when it is out of range or its chunk is absent. */
static inline const void *box_view_entry(const struct box_view *view, enum box_table_id table,
                                         uint64_t index)
{
    const struct box_view_table *from = &view->tables[table];
    if (index >= from->count)
        return NULL;
    unsigned chunk = box_chunk_of(index, from->shift);
    if (chunk >= BOX_CHUNKS_MAX || !from->chunks[chunk])
        return NULL;
    return from->chunks[chunk] + box_place_of(index, from->shift, chunk) * from->entry_bytes;
}

/* The NUL-terminated string at `index` of BOX_TEXT; "" when out of range or unterminated. */
const char *box_view_text(const struct box_view *view, uint32_t index);

#endif
