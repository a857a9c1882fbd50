/*
 * perfdata.h - the counters that a HotSpot JVM publishes for tools such as jstat.
 *
 * What it is: names and values in one piece of memory of the JVM's, which it writes and nobody else needs to be
 *   asked for. Its layout has been 2.0 since Java 1.4.2.
 * Owns: nothing. Context: anywhere; the memory may be written to at the same time.
 * Not here: where that memory is, and what counters mean (jvm.h).
 */
#ifndef HEAPDIFF_PRELOAD_PERFDATA_H
#define HEAPDIFF_PRELOAD_PERFDATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether `size_bytes` at `memory` are such counters, of a version that we know. */
bool perfdata_is(const void *memory, size_t size_bytes);

/* The counter `name`, a 64-bit number; NULL: not there (yet). It stays where it is. */
const uint64_t *perfdata_number(const void *memory, size_t size_bytes, const char *name);

/* The same of a text, of at most *room_bytes with its NUL. */
const char *perfdata_text(const void *memory, size_t size_bytes, const char *name,
                          size_t *room_bytes);

#endif
