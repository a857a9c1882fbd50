/*
 * collection_past.h - what one site has been through: how old what it holds is, and what it held at marks.
 *
 * What it is: the fact `site.N` of format/pprof.h read back, and the rule by which it is suspected of leaking.
 * Owns: nothing. Context: cli; facts may be anything. Not here: the book of all sites (collection.h).
 */
#ifndef HEAPDIFF_CLI_COLLECTION_PAST_H
#define HEAPDIFF_CLI_COLLECTION_PAST_H

#include "format/age.h"
#include "format/box.h"

#include <stdbool.h>
#include <stdint.h>

enum { COLLECTION_INTERVALS = BOX_HISTORY_MARKS - 1, COLLECTION_INTERVALS_GROWN_MIN = 5 };

struct collection_past {
    bool known;
    int64_t
        ages[AGE_COHORTS]; /* live bytes that have lived through so many marks, the last: or more */
    int64_t marks[BOX_HISTORY_MARKS]; /* bytes live at the last ones, the oldest first */
    unsigned count;                   /* of marks */
    int64_t peak_bytes;               /* at the mark at which all sites together had most */
};

/* False: it is no such fact. */
bool collection_past_read(struct collection_past *past, const char *text);

/* Whether it is about a site with these sums: some tool may have sorted the samples since. */
bool collection_past_fits(const struct collection_past *past, int64_t live_bytes,
                          int64_t then_bytes);

/* In how many of the last intervals between marks it grew; all of them have to be known, else 0. */
unsigned collection_past_growths(const struct collection_past *past);

/* Growth alone could be a cache that fills, age alone a table that is meant to stay. */
bool collection_past_is_suspect(const struct collection_past *past);

#endif
