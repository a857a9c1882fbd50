/*
 * ledger_sites.h - who holds the resident memory: the lines of a ledger that belong to sites.
 *
 * What it is: the functions that asked (folded over allocators, as in the report), with what each of the
 *   kinds live, slack, pinned, huge, idle and mapped has of them; of one profile or of a difference.
 * Owns: its array; names point into the profile. Context: cli. Not here: lines without a site (ledger.h).
 */
#ifndef HEAPDIFF_CLI_LEDGER_SITES_H
#define HEAPDIFF_CLI_LEDGER_SITES_H

#include "filter.h"
#include "cli/profile/ledger.h"

struct ledger_holder {
    const char *name, *filename;      /* "" when unknown */
    int64_t bytes[LEDGER_CATEGORIES]; /* of a difference: the change */
    int64_t base_bytes[LEDGER_CATEGORIES];
    int64_t absent_bytes; /* live but not resident; of a difference: 0 */
};

struct ledger_sites {
    struct ledger_holder *holders; /* by name and file */
    size_t count;
    int64_t absent_bytes; /* of all */
};

/* Of all samples of a symbolized profile, whatever --focus leaves. To be cleared. */
struct ledger_sites ledger_sites_of(const struct profile *profile,
                                    const struct filter_options *options);
void ledger_sites_clear(struct ledger_sites *sites);

/* NULL when there is none. */
const struct ledger_holder *ledger_sites_find(const struct ledger_sites *sites, const char *name,
                                              const char *filename);

/* The holders with the largest magnitudes of a kind (LEDGER_CATEGORIES: of absent bytes), at most `room`
   of them, largest first; returns how many there are in all. */
size_t ledger_sites_top(const struct ledger_sites *sites, int kind,
                        const struct ledger_holder **top, size_t room);

/* What a holder has of a kind; LEDGER_CATEGORIES: absent bytes. */
int64_t ledger_holder_bytes(const struct ledger_holder *holder, int kind);

/* Its function, else its file; never "". */
const char *ledger_holder_name(const struct ledger_holder *holder);

/* The ledgers that a report is about, and the sites of what it shows. */
struct ledger_pair {
    struct ledger_book base, fresh;
    struct ledger_sites sites; /* none where a side has no ledger */
    bool compared;             /* there is a base, with a ledger or without */
};

/* `base` NULL: none. `shown` is the difference, or `fresh`. To be closed. */
struct ledger_pair ledger_pair_of(const struct profile *shown, const struct profile *fresh,
                                  const struct profile *base, const struct filter_options *options);
void ledger_pair_clear(struct ledger_pair *pair);

/* Whether there is a table to show: each side has a ledger. */
bool ledger_pair_known(const struct ledger_pair *pair);

#endif
