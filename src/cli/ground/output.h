/*
 * output.h - where a command writes: a file that appears whole or not at all, or standard output.
 *
 * What it is: a sink over a temporary file beside its target, which output_commit() renames. Pipes,
 *   devices and standard output are written as they are.
 * Owns: the temporary file, until output_commit() or output_abandon(); a signal that ends the
 *   command removes it too. Context: cli, one at a time. Not here: what is written.
 */
#ifndef HEAPDIFF_CLI_OUTPUT_H
#define HEAPDIFF_CLI_OUTPUT_H

#include "format/sink.h"

#include <stdio.h>

struct output {
    struct sink sink;         /* first: a struct output is a sink */
    struct sink below;        /* what a packer writes to */
    FILE *file;               /* for who prints, unless packed */
    struct zlib_sink *packer; /* NULL: as it is */
    char *path, *temporary_path;
    int error; /* an errno value: the first failure */
};

/* How a file that is there already is met. */
enum output_mode { OUTPUT_REPLACE, OUTPUT_NEW };

/*
 * Begins `path` (NULL or "-": standard output), with the permissions of the file that it replaces.
 * A link is followed. False when it cannot be written: errno tells why; nothing to undo.
 */
bool output_open(struct output *output, const char *path);

/* What goes to the sink from now on is packed by gzip. */
void output_pack(struct output *output);

/*
 * Gives the finished file its name. False when something could not be written or, with OUTPUT_NEW,
 * the name is taken by now (EEXIST): errno tells, and the temporary file is gone.
 */
bool output_commit(struct output *output, enum output_mode mode);

/* Drops what was written. */
void output_abandon(struct output *output);

/* Removes the temporary file that there may be, for a signal handler that ends the command. */
void output_remove_temporary(void);

/* Ends a report on standard output: false, after one line, when it could not be written. */
bool output_finish_stdout(void);

#endif
