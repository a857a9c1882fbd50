/*
 * thread_stack.h - where the stacks of the process's threads are, and whose they are.
 *
 * What it is: threads by /proc/self/task with their names. A thread that has had an event is known by
 *   its thread pointer, which lies on top of its stack (libc made that by calls that nobody sees); others by
 *   the stack pointer that the kernel shows, if they are in a system call. Afterwards: areas, by address.
 * Owns: the memory of each list.
 * Context: thread_stack_gather() and _free() where sys_pages() may be called; thread_stack_place() anywhere.
 * Not here: the main thread's stack, which the kernel names; stacks of threads that have ended (label.h).
 */
#ifndef HEAPDIFF_PRELOAD_THREAD_STACK_H
#define HEAPDIFF_PRELOAD_THREAD_STACK_H

#include "preload/ground/vma.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { THREAD_NAME_BYTES = 16 /* the kernel's, with its NUL */ };

struct thread_stack {
    uint64_t at;                     /* an address on it */
    uint64_t block_start, block_end; /* where libc says that it is; equal: it does not say */
    uint64_t start, end;             /* thread_stack_place() finds them; equal: nowhere */
    bool is_pointer;                 /* `at` is the thread pointer */
    char name[THREAD_NAME_BYTES];    /* "": the thread has ended, and libc keeps its stack */
};

struct thread_stack_list {
    struct thread_stack *stacks; /* by address */
    size_t count;
    size_t room;
};

/* Looks at all threads. An empty list where /proc is hidden, or memory is out. `threads`: how many there are, or 0. */
void thread_stack_gather(struct thread_stack_list *list, uint32_t threads);

/* Finds the areas among the mappings. */
void thread_stack_place(struct thread_stack_list *list, const struct vma_list *vmas);

void thread_stack_free(struct thread_stack_list *list);

#endif
