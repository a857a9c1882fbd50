/*
 * unwind_object.h - which loaded object holds a code address, and its unwind sections.
 *
 * What it is: asks the loader's lock-free lookup where there is one, else the list of objects
 *   (module_list.h). The list also knows the segments of programs that the loader names one by one.
 * Owns: nothing.
 * Context: anywhere.
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

/* Libraries have gone: takes the list again where the loader offers no lookup. */
void object_refresh(void);

/* False when `address` is in no object (generated code), or nothing is known yet. */
bool object_find(uintptr_t address, struct object *object);

/* The same by our own list alone (tests). */
bool object_find_listed(uintptr_t address, struct object *object);
void object_list(void);

#endif
