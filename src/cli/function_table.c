#include "function_table.h"

#include "memory.h"
#include "range_table.h"

#include <dwarf.h>
#include <stdbool.h>
#include <stdlib.h>

enum { NESTING_MAX = 200 /* of namespaces, types and blocks: deeper is damage */ };

struct function_table {
    size_t count, capacity;
    Dwarf_Die *functions;
    struct range_table ranges; /* of places in `functions` */
};

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

static void function_add(struct function_table *table, Dwarf_Die *die)
{
    if (!range_table_add(&table->ranges, die, table->count))
        return;
    table->functions =
        memory_grown(table->functions, table->count, &table->capacity, sizeof(table->functions[0]));
    table->functions[table->count++] = *die;
}

/*
 * The next entry that `path` has not seen, depth first: a child, else a sibling of the nearest
 * level. Entries follow each other in the file; one that points back is damage, and ends the walk.
 */
static bool walk_on(Dwarf_Die *path, size_t *depth)
{
    const void *last = path[*depth].addr;
    if (*depth + 1 < NESTING_MAX && tag_encloses(dwarf_tag(&path[*depth])) &&
        dwarf_child(&path[*depth], &path[*depth + 1]) == 0) {
        ++*depth;
        return path[*depth].addr > last;
    }
    while (*depth > 0 && dwarf_siblingof(&path[*depth], &path[*depth]) != 0)
        --*depth;
    return *depth > 0 && path[*depth].addr > last;
}

struct function_table *function_table_new(Dwarf_Die *unit)
{
    struct function_table *table = memory_zeroed(1, sizeof(*table));
    Dwarf_Die path[NESTING_MAX];
    size_t depth = 0;
    path[0] = *unit;
    do {
        if (dwarf_tag(&path[depth]) == DW_TAG_subprogram)
            function_add(table, &path[depth]);
    } while (walk_on(path, &depth));
    range_table_sort(&table->ranges);
    return table;
}

void function_table_free(struct function_table *table)
{
    if (table == NULL)
        return;
    range_table_clear(&table->ranges);
    free(table->functions);
    free(table);
}

static bool tag_is_scope(int tag)
{
    return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
           tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

/* The block or inlined call right inside `scope` that holds `address`. */
static bool scope_inner(Dwarf_Die *scope, uint64_t address, Dwarf_Die *inner)
{
    const void *last = scope->addr;
    for (int end = dwarf_child(scope, inner); end == 0; end = dwarf_siblingof(inner, inner)) {
        if (inner->addr <= last)
            return false;
        last = inner->addr;
        if (tag_is_scope(dwarf_tag(inner)) && dwarf_haspc(inner, address) == 1)
            return true;
    }
    return false;
}

size_t function_table_scopes(const struct function_table *table, uint64_t address,
                             Dwarf_Die *scopes, size_t scopes_max, uint64_t *start)
{
    Dwarf_Die scope, inner;
    size_t place = 0, depth = 0;
    if (!range_table_find(&table->ranges, address, &place))
        return 0;
    scope = table->functions[place];
    if (dwarf_entrypc(&scope, start) != 0)
        *start = 0;
    scopes[depth++] = scope;
    for (size_t level = 0; level < NESTING_MAX && depth < scopes_max; level++) {
        if (!scope_inner(&scope, address, &inner))
            break;
        scope = inner;
        if (dwarf_tag(&scope) == DW_TAG_inlined_subroutine)
            scopes[depth++] = scope;
    }
    return depth;
}
