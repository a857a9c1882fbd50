/*
 * go_profile.h - what a Go process was found to have, as a profile of heapdiff's.
 *
 * What it is: a sample for each stack (and size, where the runtime samples), scaled as Go's pprof scales; the process's
 *   resident memory as samples of the ledger; the runtime's figures as facts.
 * Owns: the profile is the caller's. Context: cli. Not here: reading the process (go_heap.h, rss_look.h).
 *
 * Of the sample types, collected_* is what was live at the last collection, since_* what was allocated after it, and
 * inuse_* both together: Go does not know what has died since. survived_* and ages are not known.
 */
#ifndef HEAPDIFF_CLI_GO_PROFILE_H
#define HEAPDIFF_CLI_GO_PROFILE_H

#include "go_heap.h"
#include "go_symbol.h"

#include "cli/process/rss_look.h"
#include "cli/profile/profile.h"

struct go_process {
    struct rss_look look;
    struct go_binary binary;
    struct go_symbols symbols;
    struct go_heap heap;
};

struct profile *go_profile_of(const struct go_process *process);

#endif
