/*
 * peek.h - memory that may go at any moment, read by the kernel.
 *
 * What it is: words of this process's memory by process_vm_readv(2), which refuses what is not there, where a load of
 *   our own would be the program's death.
 * Owns: nothing. Context: anywhere; a few hundred nanoseconds a call.
 * Not here: memory that nobody else unmaps meanwhile (sys_readable(), unwind_memory.h).
 */
#ifndef HEAPDIFF_PRELOAD_PEEK_H
#define HEAPDIFF_PRELOAD_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PEEK_WORDS_MAX = 64 };

/* `count` words (PEEK_WORDS_MAX at most), each from an address of its own; 0 where there is none. False: that was so. */
bool peek_words(const uint64_t *from, uint64_t *to, size_t count);

/* All of [from, from + size_bytes), or false. */
bool peek(uint64_t from, void *to, size_t size_bytes);

#endif
