/*
 * thread_list.h - the threads of a process: their names and where their stacks are.
 *
 * Owns: the list, until thread_list_free(). Context: cli. Not here: which mapping is a stack (vma_label.h).
 */
#ifndef HEAPDIFF_CLI_THREAD_LIST_H
#define HEAPDIFF_CLI_THREAD_LIST_H

#include "process_dir.h"

enum { THREAD_NAME_BYTES = 64 };

struct thread_entry {
    int id;
    uint64_t stack_pointer; /* 0: not known, as the thread runs, or we may not look */
    char name[THREAD_NAME_BYTES];
};

struct thread_list {
    struct thread_entry *threads; /* by stack pointer */
    size_t count, capacity;
    size_t unknown_count; /* without a stack pointer */
};

/* What can be read; threads that end meanwhile are left out. */
struct thread_list thread_list_read(const struct process_dir *dir);
void thread_list_free(struct thread_list *list);

/* The thread whose stack pointer lies from `start` to below `end`: the first of them, or NULL. */
const struct thread_entry *thread_list_find(const struct thread_list *list, uint64_t start,
                                            uint64_t end);

/* The stack pointer in a text of /proc/PID/task/TID/syscall, or 0. */
uint64_t thread_stack_pointer(const char *text);

#endif
