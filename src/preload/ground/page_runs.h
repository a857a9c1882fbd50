/*
 * page_runs.h - runs of pages, packed.
 *
 * What it is: regions in address order as bytes: how many pages to skip, how many there are, and four flags. Two bytes
 *   for most, so that a heap of which every other page is resident takes 0.5 MiB per GiB resident.
 * Owns: nothing; the room is the caller's. Context: anywhere.
 * Not here: where the regions come from (residency.c).
 */
#ifndef HEAPDIFF_PRELOAD_PAGE_RUNS_H
#define HEAPDIFF_PRELOAD_PAGE_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGE_RUN_FLAG_BITS = 4 };

/* In pages, not bytes. */
struct page_run {
    uint64_t start, end;
    uint32_t flags;
};

struct page_runs {
    unsigned char *bytes;
    size_t room_bytes;
    size_t used_bytes; /* or needed, when this is more than the room: the rest was dropped */
    uint64_t count;
    uint64_t last;       /* the page where the last run in `bytes` ends */
    struct page_run run; /* not yet in `bytes`: it may become longer */
};

/* `run` begins where the last one ended, or above. Joined with that when they touch and are alike. */
void page_runs_put(struct page_runs *runs, const struct page_run *run);
/* After the last one. False: there was no room for all. */
bool page_runs_finish(struct page_runs *runs);

struct page_runs_cursor {
    size_t at;
    uint64_t last;
};

/* From a zeroed cursor on; false after the last one. */
bool page_runs_next(const struct page_runs *runs, struct page_runs_cursor *cursor,
                    struct page_run *run);

#endif
