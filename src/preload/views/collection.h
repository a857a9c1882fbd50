/*
 * collection.h - moments worth comparing against: a garbage collection or a purge has finished.
 *
 * What it is: a mark copies what every site has live, by site and as counted so far, and advances the
 *   epoch that new blocks are born in: O(sites), and nothing at any other time. The last 64 collections
 *   are kept, with what was known of them.
 * Owns: the epoch (header.collections), BOX_COLLECTIONS, BOX_HISTORY by way of history.h.
 * Context: anywhere; from a handler that interrupted a hook's recording part the mark may miss that event
 *   (it is counted in box_lost), so that those who can wait for guard_leave() do.
 * Not here: noticing collections of a runtime; ages (age.h), lines about them (trace.h).
 */
#ifndef HEAPDIFF_PRELOAD_COLLECTION_H
#define HEAPDIFF_PRELOAD_COLLECTION_H

#include "format/box.h"

#include <stdbool.h>
#include <stdint.h>

/* What its source knows of a collection that has just finished; 0 and NULL: unknown. */
struct collection_event {
    const char *source; /* "api", "signal", "malloc_trim", a runtime */
    const char *reason;
    bool is_minor; /* goes to the history only: what it has not looked at is no older for it */
    uint8_t truth; /* enum box_truth of what is recorded */
    uint64_t pause_ns;
    /* The runtime's own figures, or of what it keeps in malloc'ed memory collection_live_bytes(). */
    uint64_t before_bytes, after_bytes;
    uint64_t rss_before_bytes;
    uint64_t goal_bytes;
};

void collection_mark(const struct collection_event *event);

/* What is live of all sites, in one moment: as a collection begins, for its before_bytes. Context: as above. */
uint64_t collection_live_bytes(void);

/* A forked child: nobody holds the lock. */
void collection_fork(void);

/* The child has counted what it inherited: where there are marks, that is as of one more. */
void collection_inherit(void);

/* This thread left a mark by a jump. */
void collection_escape(void);

#endif
