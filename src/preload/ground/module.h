/*
 * module.h - ELF objects in this process's memory, as the loader knows them.
 *
 * What it is: the object around an address (by _dl_find_object: no lock, no allocation; where the loader
 *   has no such lookup, by module_list.h), its program headers, its dynamic section and
 *   its build id, read from memory.
 * Owns: nothing; it points into the loader's data, valid while the object is loaded.
 * Context: hooks and handlers.
 * Not here: keeping anything (mapping.h); what it defines (symbol.h).
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

/* What _dl_find_object fills in, as the ABI of glibc 2.35 has it; older headers do not. */
struct module_lookup {
    unsigned long long flags;
    void *map_start;
    void *map_end;
    struct link_map *map;
    void *unwind_index; /* .eh_frame_hdr */
    unsigned long long reserved[8];
};

/* Whether the loader has that lookup; module_look_up() asks it, where there is one. */
bool module_can_look_up(void);
bool module_look_up(uint64_t address, struct module_lookup *found);

/* False when the loader knows no object there, or its headers are not in memory. */
bool module_find(uint64_t address, struct module *module);

/* The program itself, as the kernel has started it: no loader is asked. */
bool module_program(struct module *module);

/* Fills in what the headers of an object with this name, bias and start tell; false when its first
   page, which must be readable, has none. */
bool module_read_headers(struct module *module);

/* Widens [start, end) to all that the segments cover. */
void module_stretch(struct module *module);

/* Names the program and the kernel's page of code as glibc does: musl calls them otherwise. */
void module_name_as_glibc(struct module *module);

/* Calls visit for every object that is loaded, none of which goes meanwhile: takes the loader's lock, so
   it is for those who hold none of ours. */
void module_each(void (*visit)(const struct module *module, void *context), void *context);

/* Copies the GNU build id; its length, or 0 when there is none that fits. */
unsigned module_build_id(const struct module *module, uint8_t *id, size_t room_bytes);

/* Whether `address` lies in something that others can bind to. */
bool module_exports(const struct module *module, uint64_t address);

/* The object's dynamic section, or NULL; its entry with a tag, or NULL; where that entry points to, or NULL. */
const ElfW(Dyn) * module_dynamic(const struct module *module);
const ElfW(Dyn) * module_entry(const ElfW(Dyn) * dynamic, int64_t tag);
const void *module_table(const ElfW(Dyn) * dynamic, uint64_t bias, int64_t tag);

#endif
