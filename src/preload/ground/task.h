/*
 * task.h - the threads of the process, by the kernel's list, and what it says of each.
 *
 * What it is: /proc/self/task, listed once, and files below it, opened by way of it: a thread costs as few system calls
 *   as can be. What is read and closed is ours still, as proc.h says.
 * Owns: the open directory. Context: anywhere; 8 KiB of stack.
 * Not here: what a thread's files mean.
 */
#ifndef HEAPDIFF_PRELOAD_TASK_H
#define HEAPDIFF_PRELOAD_TASK_H

#include "proc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task_list {
    struct proc_file directory;
    size_t count; /* of threads, when it was opened; 0: not known */
};

/* False: it cannot be read, or may not be. */
bool task_open(struct task_list *list);

typedef void (*task_visit)(const struct task_list *list, int32_t tid, void *context);

/* All threads there are: once for each task_open(). */
void task_each(const struct task_list *list, task_visit visit, void *context);

/* The file `name` of a thread, up to `room_bytes` - 1 bytes of it, and a NUL. False: it is gone, or empty. */
bool task_read(const struct task_list *list, int32_t tid, const char *name, char *buffer,
               size_t room_bytes);

void task_close(struct task_list *list);

#endif
