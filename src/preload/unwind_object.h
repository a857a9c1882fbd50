/*
 * unwind_object.h - which loaded object holds a code address, and its unwind sections.
 *
 * What it is: asks the loader's lock-free lookup (_dl_find_object, glibc 2.35) where there is one;
 *   else a list of our own, taken from dl_iterate_phdr outside hooks. The list also knows the
 *   segments of programs that the loader names one by one.
 * Owns: the list.
 * Context: object_find(): anywhere. object_init() and object_refresh(): outside hooks and handlers;
 *   they take the loader's lock.
 * Not here: build ids and file names of mappings.
 */
#ifndef HEAPDIFF_PRELOAD_UNWIND_OBJECT_H
#define HEAPDIFF_PRELOAD_UNWIND_OBJECT_H

#include "cfi.h"

struct object {
    const uint8_t *start; /* a mapping of it, around the address that was asked for */
    const uint8_t *end;
    struct cfi_section section; /* the segment with its unwind sections; all NULL: it has none */
};

void object_init(void);

/* Libraries were loaded: takes the list again where the loader offers no lookup. */
void object_refresh(void);

/* False when `address` is in no object (generated code), or nothing is known yet. */
bool object_find(uintptr_t address, struct object *object);

/* The same by our own list alone, which object_refresh() must have taken (tests). */
bool object_find_listed(uintptr_t address, struct object *object);
void object_list(void);

#endif
