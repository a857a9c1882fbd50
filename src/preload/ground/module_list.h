/*
 * module_list.h - the loaded objects, for loaders that cannot be asked (glibc before 2.35, musl).
 *
 * What it is: a table of them, copied from the list that every loader keeps for debuggers (r_debug). It
 *   is copied again when an address is not found and the list has grown since: no hook of dlopen is
 *   needed (one would stand between dlopen and the caller whose RUNPATH it looks at), and constructors
 *   of a library that is being loaded are known.
 * Owns: the table.
 * Context: anywhere, also hooks and handlers: no lock of the loader, and no byte of its list is read before
 *   the kernel has said that it is there.
 * Not here: objects in namespaces of dlmopen(): that list does not show them.
 */
#ifndef HEAPDIFF_PRELOAD_MODULE_LIST_H
#define HEAPDIFF_PRELOAD_MODULE_LIST_H

#include "module.h"

/* Copies the loader's list: after objects have gone. */
void module_list_take(void);

/* False when no object in the list reaches over `address`. */
bool module_list_find(uint64_t address, struct module *module);

/* The list that loaders keep for debuggers; NULL in programs without one (static ones). */
const struct link_map *module_list_loaders(void);

/* The same, entry by entry: readable when asked for. NULL: at its end, or not to be read. */
const struct link_map *module_list_first(void);
const struct link_map *module_list_next(const struct link_map *map);

#endif
