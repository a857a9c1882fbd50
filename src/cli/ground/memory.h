/*
 * memory.h - allocation for a command that cannot go on without it.
 *
 * Owns: nothing. Context: cli; each call returns memory to free(), or prints one line and exits 1.
 * Not here: a profile's own memory (profile_alloc).
 */
#ifndef HEAPDIFF_CLI_MEMORY_H
#define HEAPDIFF_CLI_MEMORY_H

#include <stddef.h>

/* `count` zeroed elements. */
void *memory_zeroed(size_t count, size_t each_bytes);

/* `memory` with room for `count` elements; what is new is not zeroed. */
void *memory_resized(void *memory, size_t count, size_t each_bytes);

/*
 * Room for one more than `count` elements: `memory` itself, or a copy twice as large with
 * *capacity changed.
 */
void *memory_grown(void *memory, size_t count, size_t *capacity, size_t each_bytes);

/* The first `length` bytes of `text`, terminated. */
char *memory_text(const char *text, size_t length);

/* printf() into fresh memory. */
char *memory_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
