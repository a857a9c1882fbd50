#include "function_table.h"

#include "die_walk.h"
#include "range_table.h"
#include "cli/ground/memory.h"

#include <dwarf.h>
#include <stdbool.h>
#include <stdlib.h>

struct function_table {
    size_t count, capacity;
    Dwarf_Die *functions;
    struct range_table ranges; /* of places in `functions` */
};

static void function_add(struct function_table *table, Dwarf_Die *die)
{
    if (!range_table_add(&table->ranges, die, table->count))
        return;
    table->functions =
        memory_grown(table->functions, table->count, &table->capacity, sizeof(table->functions[0]));
    table->functions[table->count++] = *die;
}

struct function_table *function_table_new(Dwarf_Die *unit)
{
    struct function_table *table = memory_zeroed(1, sizeof(*table));
    struct die_walk walk;
    die_walk_begin(&walk, unit);
    do {
        Dwarf_Die *die = &walk.path[walk.depth];
        if (dwarf_tag(die) == DW_TAG_subprogram)
            function_add(table, die);
    } while (die_walk_next(&walk));
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
    for (size_t level = 0; level < DIE_NESTING_MAX && depth < scopes_max; level++) {
        if (!scope_inner(&scope, address, &inner))
            break;
        scope = inner;
        if (dwarf_tag(&scope) == DW_TAG_inlined_subroutine)
            scopes[depth++] = scope;
    }
    return depth;
}
