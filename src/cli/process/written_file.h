/*
 * written_file.h - the file that a recorded process wrote by itself, seen from outside.
 *
 * What it is: found by the process's own pattern, in the process's own view of the file system. It may
 *   be another user's: nothing that stands under its name is believed to be a profile, or a file.
 * Owns: nothing. Context: cli. Not here: asking for it, and where it is wanted (command/snap.c).
 */
#ifndef HEAPDIFF_CLI_WRITTEN_FILE_H
#define HEAPDIFF_CLI_WRITTEN_FILE_H

#include "box_file.h"
#include "process.h"
#include "format/sink.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The newest file that the process can have written since it was asked; malloc'd, or NULL. */
char *written_file_find(const struct box_file *box, const struct process *process,
                        uint64_t asked_ns);

/* Opens it, if it is a file of `user`; -1: it is not, or may not be read. */
int written_file_open(const char *path, uid_t user);

/* False with errno set when it cannot be read; what cannot be written is the sink's to tell. */
bool written_file_copy(int fd, struct sink *sink);

/* The path without the "/proc/PID/root" of a process that sees the same files as we do. */
const char *written_file_shown(const char *path, int pid);

#endif
