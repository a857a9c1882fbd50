/*
 * charge.h - resident memory, region after region, charged to sites and lines.
 *
 * What it is: each page's label and the blocks on it put together: what of it is whose.
 * Owns: nothing; sites and lines are the caller's. Context: any; other threads may go on.
 * Not here: which pages are resident (residency.h), what is done when all is charged (ledger.c).
 */
#ifndef HEAPDIFF_PRELOAD_CHARGE_H
#define HEAPDIFF_PRELOAD_CHARGE_H

#include "heap_walk.h"
#include "huge_page.h"
#include "label.h"
#include "residency.h"
#include "share.h"
#include "trim.h"

#include <stdbool.h>
#include <stdint.h>

/* Zeroed, with the first three and what `trim` knows of chunks filled in. */
struct charge {
    struct ledger_site *sites; /* by number; who has none below site_count is charged as site 0 */
    uint64_t site_count;
    struct line_table *lines;
    uint64_t blurred_bytes; /* of pages whose blocks are not all known: a sampled run's */

    struct label_walk labels;
    struct label
        label; /* of all pages from the one it was asked for to the end, of a file or not */
    uint64_t label_end;
    bool label_file;
    struct heap_walk heap;
    struct trim trim;
    struct huge_page huge;
    struct share share;
};

void charge_begin(struct charge *charge, const struct label_sources *sources);

/* By address. */
void charge_region(struct charge *charge, const struct residency_region *region);

void charge_end(struct charge *charge);

#endif
