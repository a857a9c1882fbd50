/*
 * unwind_registry.h - unwind sections of code that the loader does not know.
 *
 * What it is: what runtimes that generate code give to __register_frame(): where an .eh_frame lies and
 *   which addresses it is about.
 * Owns: the list; its pages are used again, never given back. The sections stay the program's: each is
 *   looked at with care, it may have gone without a word.
 * Context: registry_find(): anywhere, no lock. The others: outside hooks and handlers of ours, any thread.
 * Not here: passing the call on (hooks_frame.c), code of loaded objects (unwind_object.h).
 */
#ifndef HEAPDIFF_PRELOAD_UNWIND_REGISTRY_H
#define HEAPDIFF_PRELOAD_UNWIND_REGISTRY_H

#include "cfi.h"

/*
 * Remembers the section at `entries`, which ends with an entry of length 0, or the one function entry
 * there (LLVM's reading of the same call). False when it makes no sense or there is no room.
 */
bool registry_add(const void *entries);

/* Forgets it; false when it is not there. */
bool registry_remove(const void *entries);

/* The section that is about `address`, without an index; false when there is none. */
bool registry_find(uintptr_t address, struct cfi_section *section);

uint64_t registry_own_bytes(void);

#endif
