/*
 * go_facts.h - what Go's runtime says of itself, as facts of a profile.
 *
 * What it is: the collector's figures and its history put into comments (format/pprof.h), and read back.
 * Owns: nothing. Context: cli. Not here: where they come from (go_heap.h, go_text.h).
 */
#ifndef HEAPDIFF_CLI_GO_FACTS_H
#define HEAPDIFF_CLI_GO_FACTS_H

#include "go_heap.h"
#include "cli/profile/fact_list.h"

/* Of the last collections that are kept. `truth`: of what is known per site, as in PPROF_TRUTHS. */
void go_facts_put(struct fact_list *list, const struct go_figures *figures, const char *truth);

/* Of a profile, read back; 0: not known. */
struct go_facts {
    bool known;
    const char *version; /* "go1.19.8"; NULL: not known */
    int64_t rate, collections, last_ns, published_ns;
    int64_t published_bytes;      /* what Go's own profile says is live */
    int64_t published_collection; /* as of which; 0: not known */
    int64_t marked_bytes, allocated_bytes, in_use_bytes, idle_bytes, released_bytes, goal_bytes;
    bool sweeping;
    /* Published may be of the last one, if that was by runtime.GC(): nothing tells. */
    bool or_later;
};

struct go_facts go_facts_of(const struct profile *profile);

#endif
