/*
 * symbol.h - where the functions and variables of a loaded object are, by name.
 *
 * What it is: the loader's own tables, read without the loader: dlsym() takes its lock, and whoever calls us may hold
 *   one that another thread wants while it has that. What an object does not export may still be in the
 *   symbol table of its file.
 * Owns: nothing. Context: symbol_find() anywhere; symbol_read_file() opens and maps a file: start-up, or the
 *   helper thread.
 * Not here: what names mean (runtime.h).
 */
#ifndef HEAPDIFF_PRELOAD_SYMBOL_H
#define HEAPDIFF_PRELOAD_SYMBOL_H

#include "preload/ground/module.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What others can bind to by `name`, a function's or variable's; 0: nothing. */
uint64_t symbol_find(const struct module *module, const char *name);

/*
 * The same in any library but this one, in the loader's order; 0: none has it, or nobody may ask the kernel any more. It is
 * asked what is still there, as other threads may be closing libraries: a microsecond for three of them.
 * *is_only (NULL is legal): there is no second one.
 */
uint64_t symbol_find_library(const char *name, bool *is_only);

/* Whether the object is in that list: dlmopen() makes others, whose names are their own. True where there is none. */
bool symbol_is_listed(const struct module *module);

/* The same as symbol_find_library(), in those behind this library if any of them has it: at start-up, when nothing goes. */
uint64_t symbol_find_behind(const char *name);

/* The name of the `index`th library, from 0 on, that an object asks for; NULL: no more. */
const char *symbol_needs(const struct module *module, unsigned index);

struct symbol_wanted {
    const char *name;
    uint64_t address; /* 0: not found yet */
};

/*
 * Fills in what .symtab of the file at `path`, which was loaded `bias` above its own addresses, has of names that are
 * still 0. How many it has found; 0 for stripped files, and for those that are not what they say.
 */
size_t symbol_read_file(const char *path, uint64_t bias, struct symbol_wanted *wanted,
                        size_t count);

#endif
