/*
 * huge_page.h - what was never used of a huge page, charged to the blocks that hold the rest.
 *
 * What it is: for the huge page that the walk is in: how much of it no block has ever been in, and which sites
 *   have live blocks on it. Where there are any, those hold it all.
 * Owns: nothing. Context: any; pages come in address order.
 * Not here: who is charged for other pages (share.h).
 */
#ifndef HEAPDIFF_PRELOAD_HUGE_PAGE_H
#define HEAPDIFF_PRELOAD_HUGE_PAGE_H

#include "line.h"

#include <stdint.h>

enum {
    HUGE_PAGE_BYTES = 2 << 20,
    HUGE_PAGE_SLOTS = 256,
    HUGE_PAGE_PROBES =
        16 /* who finds no slot in so many is charged with another's, which pays for both */
};

struct huge_page {
    uint64_t start; /* 0: in none */
    uint64_t live_bytes;
    uint64_t spare_bytes;
    uint32_t spare_line; /* whose they are if no block lives */
    struct {
        uint32_t site;
        uint32_t live_bytes;
    } slots[HUGE_PAGE_SLOTS];
};

/* Ends the one it is in, if `address` is in another: its spare bytes are charged. */
void huge_page_enter(struct huge_page *page, uint64_t address, struct ledger_site *sites,
                     uint64_t site_count, struct line_table *lines);

void huge_page_live(struct huge_page *page, uint32_t site, uint64_t bytes);

/* Bytes that would else be `line`'s. */
void huge_page_spare(struct huge_page *page, uint32_t line, uint64_t bytes,
                     struct line_table *lines);

#endif
