/*
 * prune.h - frames that a profile itself declares uninteresting.
 *
 * What it is: drop_frames and keep_frames of profile.proto, applied as pprof applies them: a stack
 *   loses its root-most matching frame and all beyond it towards the leaf, unless nothing of the
 *   program would remain. tcmalloc's profiles hide the allocator's frames so.
 * Owns: nothing. Context: cli; the profile is symbolized. Not here: --skip (filter.h).
 */
#ifndef HEAPDIFF_CLI_PRUNE_H
#define HEAPDIFF_CLI_PRUNE_H

#include "profile.h"

/* Changes stacks and lines of `profile` in place; does nothing when an expression is not valid. */
void profile_prune(struct profile *profile);

#endif
