/*
 * trace.h - a line for each collection as it happens (trace=).
 *
 * What it is: what the history keeps of it, as one line on stderr, or appended to a file that is opened and
 *   closed for it.
 * Owns: the file's name. Context: trace_init() at start-up; the rest anywhere but inside a hook's recording
 *   part, with all signals blocked.
 * Not here: the history (collection.h).
 */
#ifndef HEAPDIFF_PRELOAD_TRACE_H
#define HEAPDIFF_PRELOAD_TRACE_H

#include "format/box.h"

/* Makes the name of options.trace absolute. */
void trace_init(const char *directory);

void trace_collection(const struct box_collection *collection);

#endif
