/*
 * box_frames.h - mappings and locations of a profile that is written from a black box.
 *
 * What it is: location i is entry i of BOX_PCS; those of the ledger's categories and lines come after, and what cannot be
 *   known is made up when it is met.
 * Owns: nothing. Context: as box_profile.h.
 * Not here: stacks of them (box_stack.h), samples (box_profile.h).
 */
#ifndef HEAPDIFF_FORMAT_BOX_FRAMES_H
#define HEAPDIFF_FORMAT_BOX_FRAMES_H

#include "box_view.h"
#include "ledger.h"
#include "pprof_out.h"

#include <stdint.h>

/* Of one profile; `view` and `out` are the caller's, the rest begins zeroed. */
struct box_frames {
    const struct box_view *view;
    struct pprof_out *out;
    uint64_t location_count;                /* pcs without the sentinel */
    uint32_t main_mapping;                  /* index in BOX_MAPPINGS; 0: none */
    uint64_t mapping_count;                 /* mappings written so far; the last one's id */
    uint64_t unknown_mapping, lost_mapping; /* ids; 0: not written yet */
    uint64_t lost_name;                     /* string */
    uint64_t last_location;                 /* written so far */
    uint64_t roots[LEDGER_CATEGORIES];      /* locations */
    uint64_t line_location; /* the location before that of the first line that has a name */
};

/* Writes all that are known beforehand. `ledger` may be NULL. */
void box_frames_put(struct box_frames *frames, const struct ledger *ledger);

/* The location of frames that cannot be known, after all others. */
uint32_t box_frames_unknown(struct box_frames *frames);

#endif
