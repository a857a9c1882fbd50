/*
 * process_dir.h - the files under /proc/PID, all of one process.
 *
 * What it is: the directory held open, so that a process that takes the number later is never read instead.
 * Owns: the descriptor, until process_dir_close(). Context: cli. Not here: what the files say.
 */
#ifndef HEAPDIFF_CLI_PROCESS_DIR_H
#define HEAPDIFF_CLI_PROCESS_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process_dir {
    int fd; /* -1: closed */
    int pid;
};

/* False: errno tells. */
bool process_dir_open(struct process_dir *dir, int pid);
void process_dir_close(struct process_dir *dir);

/* All of the file `name`, such as "smaps", terminated; malloc'd. NULL: errno tells. */
char *process_dir_text(const struct process_dir *dir, const char *name, size_t *size_bytes);

/* The file's bytes up to `room_bytes` - 1, terminated; "" when it cannot be read: false. */
bool process_dir_read(const struct process_dir *dir, const char *name, char *text,
                      size_t room_bytes);

/* The number after "KEY:" in a status file; `fallback` when it is not there. */
uint64_t process_status_number(const char *status, const char *key, uint64_t fallback);

#endif
