/*
 * proc.h - files of /proc and /sys, read by raw calls.
 *
 * What it is: a file that is open for as long as it is read, and its lines. A program may close all descriptors while
 *   one of ours is open, and get its number for a file of its own: nothing is then taken from that file, nor is
 *   it closed.
 * Owns: the descriptor. Context: anywhere.
 * Not here: what the files say.
 */
#ifndef HEAPDIFF_PRELOAD_PROC_H
#define HEAPDIFF_PRELOAD_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proc_file {
    int fd;
    uint64_t device, inode;
    uint64_t offset; /* of the next proc_read() */
    bool plain;      /* pread64 is refused, read is not */
};

/*
 * Opens a file to be read: the descriptor, or -errno. Those of /proc/self are the calling thread's: of a process
 * whose first thread has ended, that one's have no memory.
 */
long proc_descriptor(const char *path);

bool proc_open(struct proc_file *file, const char *path);
/* The same by a name in a directory that is open. */
bool proc_open_below(struct proc_file *file, const struct proc_file *directory, const char *name);
/* Whether the descriptor is still ours. */
bool proc_is_same(const struct proc_file *file);
/* The next bytes; 0 at the end, or -errno. */
long proc_read(struct proc_file *file, void *buffer, size_t size_bytes);
void proc_close(struct proc_file *file);

/* The lines of a file, one after the other, in the caller's buffer. */
struct proc_lines {
    struct proc_file file;
    char *buffer;
    size_t room_bytes; /* a longer line is cut */
    size_t at, filled;
    bool skipping; /* the rest of a line that has been cut */
    bool failed;   /* to read: the lines so far are not all */
};

bool proc_lines_open(struct proc_lines *lines, const char *path, char *buffer, size_t room_bytes);
/* The next line, NUL in place of its end; valid until the next call. NULL: no more. */
char *proc_lines_next(struct proc_lines *lines);
void proc_lines_close(struct proc_lines *lines);

/* Hexadecimal digits at *at, which moves past them; 0 when there are none. */
uint64_t proc_read_hex(const char **at);

/* The numbers after "KEY:" in /proc/self/status, kB as bytes: values[i] for keys[i], 0 where absent. False when it
   cannot be read. */
bool proc_status(const char *const *keys, uint64_t *values, unsigned count);

#endif
