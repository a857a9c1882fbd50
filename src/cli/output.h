/*
 * output.h - a file that appears whole or not at all, usually gzip'd.
 *
 * What it is: a sink that packs into a temporary file beside its target; output_commit() renames it.
 * Owns: the temporary file, until output_commit() or output_abandon(). Context: cli.
 * Not here: what is written.
 */
#ifndef HEAPDIFF_CLI_OUTPUT_H
#define HEAPDIFF_CLI_OUTPUT_H

#include "format/sink.h"

#include <sys/types.h>
#include <zlib.h>

struct output {
    struct sink sink; /* first: a struct output is a sink */
    gzFile packer;
    char *path, *temporary_path;
    int error; /* an errno value */
};

/* Whether the bytes written are packed by gzip, or are what the file shall hold. */
enum output_packing { OUTPUT_PACKED, OUTPUT_AS_IS };

/* How a file that is there already is met. */
enum output_mode { OUTPUT_REPLACE, OUTPUT_NEW };

/* Begins `path` ("-": standard output). A pipe or a device is written as it is. False when it cannot
   be opened: errno tells why; nothing to undo. */
bool output_open(struct output *output, const char *path, mode_t permissions,
                 enum output_packing packing);

/*
 * Gives the finished file its name. False when something could not be written or, with OUTPUT_NEW,
 * the name is taken by now (EEXIST): errno tells, and the temporary file is gone.
 */
bool output_commit(struct output *output, enum output_mode mode);

/* Drops what was written. */
void output_abandon(struct output *output);

#endif
