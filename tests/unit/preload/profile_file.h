/*
 * profile_file.h - a written profile, unpacked by zlib.
 *
 * Owns: nothing; the caller frees the bytes. Context: unit tests, any thread.
 * Not here: decoding profile.proto.
 */
#ifndef HEAPDIFF_TEST_PROFILE_FILE_H
#define HEAPDIFF_TEST_PROFILE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* The profile.proto in the file, or NULL when it is not there or not one whole gzip member. */
unsigned char *profile_file_read(const char *path, size_t *size_bytes);

/* Whether the profile at `path` is whole and has this text somewhere. */
bool profile_file_says(const char *path, const char *text);

#endif
