/*
 * loader_pages.h - memory that the loader has taken before there was a malloc().
 *
 * What it is: the pages on which its descriptions (struct link_map) and names of objects lie, by the list that it
 *   keeps for debuggers, and those of its tables, which point to these. What it allocates later it asks malloc()
 *   for: that are blocks.
 * Owns: the lists' memory.
 * Context: as a snapshot's writer. No byte of the loader's is read before the kernel has said that it is there.
 * Not here: what else lies on these pages.
 */
#ifndef HEAPDIFF_PRELOAD_LOADER_PAGES_H
#define HEAPDIFF_PRELOAD_LOADER_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOADER_PAGES_HINTS = 64 };

struct loader_pages {
    uint64_t *pages; /* addresses, going up; some may be there twice */
    size_t count, room;
    uint64_t *maps; /* the descriptions, going up */
    size_t map_count;
    uint64_t hints[LOADER_PAGES_HINTS]; /* a bit for what each of them hashes to */
};

/* None where memory is out, or may not be asked about. */
void loader_pages_gather(struct loader_pages *list);

/* Whether the page, which may go meanwhile, has a part of a table: who defines symbols that are to be unique. */
bool loader_pages_is_table(const struct loader_pages *list, uint64_t page);

void loader_pages_free(struct loader_pages *list);

#endif
