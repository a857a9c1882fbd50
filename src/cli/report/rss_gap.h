/*
 * rss_gap.h - a heap profile set against the resident memory of its process.
 *
 * What it is: how much of RSS a profile of any writer names, and where the rest is: kind by kind, adding up.
 * Owns: nothing but the profile's name of its heap. Context: cli. Not here: printing (render_rss.h).
 */
#ifndef HEAPDIFF_CLI_RSS_GAP_H
#define HEAPDIFF_CLI_RSS_GAP_H

#include "cli/go/go_facts.h"
#include "cli/process/rss_look.h"
#include "cli/profile/ledger.h"

struct rss_gap {
    bool is_go;                 /* the profile is of Go's heap */
    bool too_old;               /* it was taken before the process began: of another one */
    bool other_program;         /* its main file has another name */
    int64_t age_ns;             /* of the profile; -1: not known */
    const char *truth;          /* "exact", "sampled"; NULL: not known */
    struct go_facts go;         /* of a profile that has any */
    int64_t named_bytes;        /* that it has live */
    int64_t held_bytes;         /* resident of the memory that it speaks of */
    int64_t covered_bytes;      /* of RSS: the less of the two */
    int64_t unnamed_bytes;      /* held and not named */
    int64_t absent_bytes;       /* named and not resident */
    int64_t rest[LEDGER_KINDS]; /* of RSS; with the two before it adds up to the ledger's sum */
};

/* NULL, or why the profile cannot be set against it: a static reason. */
const char *rss_gap_of(struct rss_gap *gap, const struct rss_look *look,
                       const struct profile *profile);

#endif
