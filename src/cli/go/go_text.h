/*
 * go_text.h - Go's heap profile as text, what /debug/pprof/heap?debug=1 serves.
 *
 * What it is: rows `OBJECTS: BYTES [OBJECTS: BYTES] @ 0xPC ...` with a line for each frame, then runtime.MemStats: the
 *   profile is as old as a collection, the figures below it are of now. Read into the four sample types that
 *   Go's pprof form has, scaled as it is, and the facts of format/pprof.h.
 * Owns: nothing. Context: cli; the text may be anything. Not here: other text forms.
 */
#ifndef HEAPDIFF_CLI_GO_TEXT_H
#define HEAPDIFF_CLI_GO_TEXT_H

#include "cli/profile/profile.h"

/* By its first line. */
bool go_text_is(const void *bytes, size_t size_bytes);

/* NULL and a static reason when it is damaged. */
struct profile *go_text_decode(const void *bytes, size_t size_bytes, const char **reason);

#endif
