/*
 * unwind_memory.h - careful reads of the program's stacks.
 *
 * What it is: reads of words whose address is a guess: each new page is first shown to the kernel,
 *   so that a wrong address gives false and not a fault.
 * Owns: nothing; a struct memory remembers the last page of one walk.
 * Context: anywhere. A page may be unmapped by another thread after the question; nobody unmaps a
 *   stack that is in use.
 * Not here: the fast walk, which reads only where correct rules lead.
 */
#ifndef HEAPDIFF_PRELOAD_UNWIND_MEMORY_H
#define HEAPDIFF_PRELOAD_UNWIND_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

enum { MEMORY_PAGE_BYTES = 4096 }; /* the smallest page there is: larger ones only ask more often */

struct memory {
    uintptr_t page; /* number of the page that was readable last; 0: none, it never is */
};

/* True when the kernel can read the byte at `address`. One system call. */
bool memory_readable(uintptr_t address);

/* Reads the word at `address`, of any alignment. False when it is not readable. */
bool memory_read(struct memory *memory, uintptr_t address, uintptr_t *word);

/* True when all of [address, address + size_bytes) is readable. */
bool memory_check(struct memory *memory, uintptr_t address, uintptr_t size_bytes);

#endif
