/*
 * export.h - a profile in the formats of other tools.
 *
 * What it is: one function a format, each in export_FORMAT.c, writing a symbolized profile.
 * Owns: nothing. Context: cli. Not here: the command line (export_command.h), files (output.h), JSON
 *   for programs (render.h).
 *
 * `type` is an index of the profile's sample types.
 */
#ifndef HEAPDIFF_CLI_EXPORT_H
#define HEAPDIFF_CLI_EXPORT_H

#include "cli/profile/profile.h"
#include "format/sink.h"

#include <stdio.h>

/*
 * profile.proto, not packed: all sample types, labels, comments and mappings; decoding it gives the
 * same profile. The samples of a diff come out as new - base. False when the sink failed.
 */
bool export_pprof(const struct profile *profile, struct sink *sink);

/* The same, packed, as a file that appears whole or not at all; false after one line. */
bool export_pprof_file(const struct profile *profile, const char *path);

/*
 * profile.proto as Go's runtime writes it: alloc_objects/count, alloc_space/bytes,
 * inuse_objects/count, inuse_space/bytes, period type space/bytes. What the profile does not have is
 * 0; samples that are all 0 are left out. False when the sink failed.
 */
bool export_pprof_go(const struct profile *profile, struct sink *sink);

/* False when none of the four types above is in the profile. */
bool export_pprof_go_possible(const struct profile *profile);

/*
 * "root;...;leaf VALUE" lines, equal stacks added up, sorted; "root;...;leaf BASE NEW" for a diff, as
 * flamegraph.pl reads it. Stacks without a value are left out.
 */
void export_collapsed(FILE *out, const struct profile *profile, int type);

/*
 * JSON for speedscope: one profile; for a diff a "grown" and a "shrunk" one, as speedscope takes no
 * negative weights.
 */
void export_speedscope(FILE *out, const struct profile *profile, int type);

#endif
