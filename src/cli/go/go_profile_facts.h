/*
 * go_profile_facts.h - what the comments of a profile of a Go program say, made from outside.
 *
 * What it is: the process, its ledger, the collector, and of each site what it had at the last two collections.
 * Owns: nothing. Context: cli. Not here: samples (go_profile.c), the collector's figures (go_facts.h).
 */
#ifndef HEAPDIFF_CLI_GO_PROFILE_FACTS_H
#define HEAPDIFF_CLI_GO_PROFILE_FACTS_H

#include "go_profile.h"
#include "cli/profile/fact_list.h"

/* What Go's own profile says of each sample, in bytes. */
struct go_published {
    const struct sample *samples;
    const int64_t *bytes;
    size_t count;
};

void go_profile_facts_put(struct fact_list *facts, const struct go_process *process,
                          const struct go_published *published);

#endif
