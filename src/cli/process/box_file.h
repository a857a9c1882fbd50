/*
 * box_file.h - a black box mapped for reading, and the profile made from it.
 *
 * What it is: a box_view over a file, with what the file system and /proc know about it.
 * Owns: the mapping, until box_file_close(). Context: cli. The file may be hostile, and its process
 *   may go on writing; when somebody cuts it short while it is read, the command ends with one line.
 * Not here: looking for boxes (box_search.h), the conversion (format/box_profile.h).
 */
#ifndef HEAPDIFF_CLI_BOX_FILE_H
#define HEAPDIFF_CLI_BOX_FILE_H

#include "process.h"
#include "cli/ground/output.h"
#include "format/box_profile.h"

#include <sys/types.h>
#include <time.h>

struct box_file {
    struct box_view view;
    void *bytes;
    size_t size_bytes;
    char *path;
    char *program; /* its name, fit to be part of a file's name */
    dev_t device;
    ino_t inode;
    uid_t user;     /* who owns the file */
    time_t changed; /* when the file was last written to, as far as the file system knows */
};

/* Opens the box at `path`. NULL, or a reason (errno's texts included); nothing to close then. */
const char *box_file_open(struct box_file *box, const char *path);
void box_file_close(struct box_file *box);

/* The running process that writes to the box, as seen from here; 0: it has ended. */
int box_file_process(const struct box_file *box);

/* Deletes the file, unless another one has taken its place. errno tells why not. */
bool box_file_delete(const struct box_file *box);

/* The facts for a profile of now: those of `running`, or when that is NULL, as the process has
   ended, of the moment when it last wrote. */
struct box_profile_facts box_file_facts(const struct box_file *box, const struct process *running);

/* Writes the profile and commits the output; false with errno set. */
bool box_file_write(const struct box_file *box, const struct box_profile_facts *facts,
                    struct output *output, enum output_mode mode);

/*
 * Writes the profile to `path`, or when it is NULL to the first free PROGRAM.PID.N.prof in the
 * current directory. Returns the path, which the caller frees; NULL: one line has been said.
 */
char *box_file_save(const struct box_file *box, const struct box_profile_facts *facts,
                    const char *path);

#endif
