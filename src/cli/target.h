/*
 * target.h - where an export goes: a file that appears whole or not at all, or standard output.
 *
 * What it is: a regular file is written beside its final name and renamed at the end; pipes, devices
 *   and standard output are written as they are.
 * Owns: the temporary file from target_open() to target_close(). Context: cli.
 * Not here: what is written (export.h); gzip'd snapshots of other processes (output.h).
 */
#ifndef HEAPDIFF_CLI_TARGET_H
#define HEAPDIFF_CLI_TARGET_H

#include "format/sink.h"

#include <stdio.h>

struct target {
    struct sink sink; /* first: a struct target is a sink */
    FILE *file;
    char *path;      /* the final name; NULL: nothing to rename */
    char *temporary; /* NULL: nothing to rename */
};

/* `path` NULL or "-": standard output. False with errno set when it cannot be written. */
bool target_open(struct target *self, const char *path);

/*
 * Ends the writing; `good` false drops the temporary file. False with errno set when the bytes did
 * not get where they belong.
 */
bool target_close(struct target *self, bool good);

#endif
