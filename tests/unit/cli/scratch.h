/*
 * scratch.h - an empty directory to test in. Owns: the directory, which is also the current one.
 * Context: unit tests. Not here: the code under test.
 */
#ifndef HEAPDIFF_TESTS_SCRATCH_H
#define HEAPDIFF_TESTS_SCRATCH_H

#include <stddef.h>

/* For cmocka: a new directory as the current one, and its removal. */
int scratch_setup(void **state);
int scratch_teardown(void **state);

/* A file in it with these bytes. */
void scratch_write(const char *name, const void *bytes, size_t size_bytes);

/* Bytes of a file; -1: there is none. */
long scratch_size(const char *name);

/* Entries in the directory. */
int scratch_count(void);

#endif
