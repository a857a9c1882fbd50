/*
 * input.h - the bytes of an input file, unpacked.
 *
 * What it is: reads a whole file and undoes gzip, within a size limit; recognises by their first
 *   bytes the files people hand over by mistake.
 * Owns: nothing; the caller frees what it gets. Context: cli. Not here: what the bytes mean.
 */
#ifndef HEAPDIFF_CLI_INPUT_H
#define HEAPDIFF_CLI_INPUT_H

#include <stdbool.h>
#include <stddef.h>

/* Above this, as found or unpacked, input is refused: real profiles are a hundred times smaller,
   and a gzip of 2 MB can unpack to this much. */
#define INPUT_BYTES_MAX ((size_t)2 << 30)

struct input {
    unsigned char *bytes; /* malloc'd; NULL when empty */
    size_t size_bytes;
};

/* How `path` is called in a message: "-" is standard input. */
const char *input_name(const char *path);

/* Reads all of `path` ("-": standard input). NULL on success, else a static reason. */
const char *input_read(struct input *input, const char *path);

/* True when the bytes are gzip's by their magic. */
bool input_is_gzip(const void *bytes, size_t size_bytes);

/* Unpacks gzip (also several members in a row). NULL on success, else a static reason. */
const char *input_gunzip(struct input *unpacked, const void *bytes, size_t size_bytes);

/* What the bytes are instead of a profile, by their magic: a static reason, or NULL. */
const char *input_wrong_kind(const void *bytes, size_t size_bytes);

/* Frees the bytes and empties `input`. */
void input_free(struct input *input);

#endif
