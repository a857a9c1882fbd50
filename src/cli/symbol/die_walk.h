/*
 * die_walk.h - all entries of a compilation unit that can hold functions, and their siblings.
 *
 * What it is: a depth-first walk without recursion, which damaged DWARF cannot keep going for ever.
 * Owns: nothing. Context: cli. Not here: what is made of the entries.
 */
#ifndef HEAPDIFF_CLI_DIE_WALK_H
#define HEAPDIFF_CLI_DIE_WALK_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>

enum { DIE_NESTING_MAX = 200 /* of namespaces, types and blocks: deeper is damage */ };

struct die_walk {
    Dwarf_Die path[DIE_NESTING_MAX]; /* path[depth] is the entry, path[0] the unit */
    size_t depth;
};

/* Starts at the unit's own entry. */
void die_walk_begin(struct die_walk *walk, const Dwarf_Die *unit);

/* Goes on to the next entry; false at the end. */
bool die_walk_next(struct die_walk *walk);

#endif
