/*
 * claim.h - address space that the allocator has mapped for itself.
 *
 * What it is: a bit for each CLAIM_BYTES of it, set when the allocator calls mmap (not the program's: those are
 *   ranges) and never cleared: what the program maps there later has a record of its own.
 * Owns: the bits. Context: anywhere, from any thread at once, no lock: the allocator may hold its own.
 * Not here: whose call it was (inner.h).
 */
#ifndef HEAPDIFF_PRELOAD_CLAIM_H
#define HEAPDIFF_PRELOAD_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

enum { CLAIM_BYTES = 64 << 10 };

void claim_add(uintptr_t start, uint64_t bytes);

bool claim_has(uintptr_t address);

/* The same for whole pages in order; *end is cut to where that may change. */
bool claim_next(uintptr_t address, uint64_t *end);

#endif
