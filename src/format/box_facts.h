/*
 * box_facts.h - the facts of a profile that is written from a black box.
 *
 * What it is: program, moment, losses, the ledger's figures, collections; and for each site what it has been through.
 * Owns: nothing. Context: as box_profile.h.
 * Not here: how a fact is written (fact.h), samples (box_profile.h).
 */
#ifndef HEAPDIFF_FORMAT_BOX_FACTS_H
#define HEAPDIFF_FORMAT_BOX_FACTS_H

#include "box_profile.h"
#include "pprof_out.h"

void box_facts_put(struct pprof_out *out, const struct box_view *view,
                   const struct box_profile_facts *facts);

struct box_facts_site {
    uint64_t marks;                    /* collections so far */
    const struct box_history *history; /* or NULL */
    const struct age_site *age;        /* or NULL */
};

/* Of the site whose sample is number `sample`. */
void box_facts_site(struct pprof_out *out, uint64_t sample, const struct box_facts_site *site);

#endif
