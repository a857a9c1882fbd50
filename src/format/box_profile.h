/*
 * box_profile.h - a black box written as a pprof profile.
 *
 * What it is: the one conversion from tables to profile.proto; a snapshot in the preload and
 *   `heapdiff recover` both call it, so both give the same bytes for the same tables.
 * Owns: nothing. Context: any, also a signal handler; under 8 KiB of stack, no allocation.
 * Not here: gzip (gzip.h), reading /proc (the caller fills in the facts).
 */
#ifndef HEAPDIFF_FORMAT_BOX_PROFILE_H
#define HEAPDIFF_FORMAT_BOX_PROFILE_H

#include "age.h"
#include "box_view.h"
#include "ledger.h"
#include "sink.h"

/* What the box itself cannot know: the moment it is read at. */
struct box_profile_facts {
    uint64_t time_ns;        /* CLOCK_REALTIME of the snapshot */
    uint64_t rss_bytes;      /* 0: unknown */
    uint64_t rss_peak_bytes; /* 0: unknown */
    uint32_t threads;        /* 0: unknown */
    const char *source; /* "signal", "exit", "exec", "api", "growth", "interval", "black box" ... */
    const struct ledger *ledger;  /* of this moment; NULL: none */
    const struct age_table *ages; /* the same */
};

/*
 * Writes the raw (not gzip'd) profile.proto of `view`, a cut (box_cut.h) where threads count, to `sink`. Sample types: see pprof.h. Sites
 * whose counters are all zero are left out. Returns false when the sink failed.
 */
bool box_profile_write(const struct box_view *view, const struct box_profile_facts *facts,
                       struct sink *sink);

#endif
