/*
 * scratch.h - a directory of the test's own, to look at what the preload leaves behind.
 *
 * Owns: one directory at a time, below TMPDIR. Context: unit tests; a failure ends the test.
 * Not here: what is said on stderr (said.h).
 */
#ifndef HEAPDIFF_TEST_SCRATCH_H
#define HEAPDIFF_TEST_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

enum { SCRATCH_PATH_BYTES_MAX = 4096 };

/* Makes the directory; its path, good until the next one is made. */
const char *scratch_make(void);

/* Deletes it with the files in it. */
void scratch_remove(void);

/* Both for cmocka: one directory for each test. */
int scratch_before(void **state);
int scratch_after(void **state);

/* "DIRECTORY/NAME" into `path` of SCRATCH_PATH_BYTES_MAX; returns `path`. */
const char *scratch_path(char *path, const char *name);

bool scratch_has(const char *name);

/* Files whose names end with `suffix`; "": all. */
unsigned scratch_count(const char *suffix);

/* Makes a file with this content. */
void scratch_write(const char *name, const char *content);

/* Whether the file is there with exactly this content. */
bool scratch_holds(const char *name, const char *content);

/* Descriptors that this process has open. */
unsigned scratch_descriptors(void);

#endif
