#include "die_walk.h"

#include <dwarf.h>

/* What can have functions inside. */
static bool tag_encloses(int tag)
{
    switch (tag) {
    case DW_TAG_compile_unit:
    case DW_TAG_partial_unit:
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type: /* of Rust and Swift */
    case DW_TAG_subprogram:
    case DW_TAG_lexical_block:
        return true;
    default:
        return false;
    }
}

void die_walk_begin(struct die_walk *walk, const Dwarf_Die *unit)
{
    walk->path[0] = *unit;
    walk->depth = 0;
}

/* Entries follow each other in the file: one that points back is damage, and ends the walk. */
bool die_walk_next(struct die_walk *walk)
{
    Dwarf_Die *at = &walk->path[walk->depth];
    const void *last = at->addr;
    if (walk->depth + 1 < DIE_NESTING_MAX && tag_encloses(dwarf_tag(at)) &&
        dwarf_child(at, at + 1) == 0) {
        walk->depth++;
        return at[1].addr > last;
    }
    while (walk->depth > 0 && dwarf_siblingof(at, at) != 0) {
        walk->depth--;
        at--;
    }
    return walk->depth > 0 && at->addr > last;
}
