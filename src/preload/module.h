/*
 * module.h - ELF objects in this process's memory, as the loader knows them.
 *
 * What it is: the object around an address (by _dl_find_object: no lock, no allocation), its program
 *   headers and its build id, read from memory.
 * Owns: nothing; it points into the loader's data, valid while the object is loaded.
 * Context: hooks and handlers.
 * Not here: keeping anything (mapping.h).
 */
#ifndef HEAPDIFF_PRELOAD_MODULE_H
#define HEAPDIFF_PRELOAD_MODULE_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct module {
    const char *name; /* the loader's; "" for the program itself */
    uint64_t bias;    /* added to the file's addresses */
    uint64_t start, end;
    const ElfW(Phdr) * segments;
    unsigned segment_count;
};

/* False when the loader knows no object there, or its headers are not in memory. */
bool module_find(uint64_t address, struct module *module);

/* Calls visit for every object that is loaded, none of which goes meanwhile: takes the loader's lock, so
   it is for those who hold none of ours. */
void module_each(void (*visit)(const struct module *module, void *context), void *context);

/* Copies the GNU build id; its length, or 0 when there is none that fits. */
unsigned module_build_id(const struct module *module, uint8_t *id, size_t room_bytes);

#endif
