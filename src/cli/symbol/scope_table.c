#include "scope_table.h"

#include "die_walk.h"
#include "cli/ground/memory.h"

#include <dwarf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ORIGINS_MAX = 8 /* from an inlined function to its declaration; 2 are usual */ };

/* A namespace, type or function with something inside. Number 0 is none. */
struct scope {
    Dwarf_Off offset;
    size_t parent;
};

struct scoped_function {
    const void *at; /* its entry's address: they come sorted */
    size_t scope;
    char *name; /* NULL: not asked for yet */
};

struct scope_table {
    Dwarf *dwarf;
    size_t scope_count, scope_capacity, function_count, function_capacity;
    struct scope *scopes;
    struct scoped_function *functions;
};

static size_t scope_add(struct scope_table *table, Dwarf_Die *die, size_t parent)
{
    table->scopes = memory_grown(table->scopes, table->scope_count, &table->scope_capacity,
                                 sizeof(table->scopes[0]));
    table->scopes[table->scope_count] = (struct scope){dwarf_dieoffset(die), parent};
    return table->scope_count++;
}

static void function_add(struct scope_table *table, Dwarf_Die *die, size_t scope)
{
    table->functions = memory_grown(table->functions, table->function_count,
                                    &table->function_capacity, sizeof(table->functions[0]));
    table->functions[table->function_count++] = (struct scoped_function){die->addr, scope, NULL};
}

/* The scope that entries inside `die` are in. */
static size_t scope_inside(struct scope_table *table, Dwarf_Die *die, size_t parent)
{
    int tag = dwarf_tag(die);
    bool names = tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_class_type ||
                 tag == DW_TAG_structure_type || tag == DW_TAG_union_type ||
                 tag == DW_TAG_enumeration_type || tag == DW_TAG_subprogram;
    return names && dwarf_haschildren(die) == 1 ? scope_add(table, die, parent) : parent;
}

struct scope_table *scope_table_new(Dwarf_Die *unit)
{
    struct scope_table *table = memory_zeroed(1, sizeof(*table));
    struct die_walk walk;
    size_t inside[DIE_NESTING_MAX] = {0};
    table->dwarf = dwarf_cu_getdwarf(unit->cu);
    scope_add(table, unit, 0);
    die_walk_begin(&walk, unit);
    while (die_walk_next(&walk)) {
        Dwarf_Die *die = &walk.path[walk.depth];
        size_t parent = inside[walk.depth - 1];
        if (dwarf_tag(die) == DW_TAG_subprogram && parent != 0)
            function_add(table, die, parent);
        inside[walk.depth] = scope_inside(table, die, parent);
    }
    return table;
}

void scope_table_free(struct scope_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->function_count; i++)
        free(table->functions[i].name);
    free(table->functions);
    free(table->scopes);
    free(table);
}

static int function_compare(const void *key, const void *element)
{
    const struct scoped_function *function = element;
    return (key > function->at) - (key < function->at);
}

/* An inlined function names its abstract one, that its declaration: the last known one counts. */
static struct scoped_function *declaration_of(struct scope_table *table, Dwarf_Die *function)
{
    struct scoped_function *known = NULL;
    Dwarf_Die die = *function;
    Dwarf_Attribute attribute;
    for (size_t i = 0; i < ORIGINS_MAX && table->function_count > 0; i++) {
        struct scoped_function *found = bsearch(die.addr, table->functions, table->function_count,
                                                sizeof(*found), function_compare);
        known = found != NULL ? found : known;
        if (dwarf_attr(&die, DW_AT_abstract_origin, &attribute) == NULL &&
            dwarf_attr(&die, DW_AT_specification, &attribute) == NULL)
            break;
        if (dwarf_formref_die(&attribute, &die) == NULL)
            break;
    }
    return known;
}

static const char *scope_name(const struct scope_table *table, size_t scope)
{
    Dwarf_Die die;
    if (dwarf_offdie(table->dwarf, table->scopes[scope].offset, &die) == NULL)
        return "{damaged}";
    const char *name = dwarf_diename(&die);
    if (name != NULL)
        return name;
    return dwarf_tag(&die) == DW_TAG_namespace ? "(anonymous namespace)" : "{lambda}";
}

const char *scope_table_name(struct scope_table *table, Dwarf_Die *function)
{
    struct scoped_function *found = declaration_of(table, function);
    const char *own = dwarf_diename(function);
    if (found == NULL || found->name != NULL || own == NULL)
        return found != NULL ? found->name : NULL;
    char *name = memory_text(own, strlen(own));
    for (size_t scope = found->scope; scope != 0; scope = table->scopes[scope].parent) {
        char *longer = memory_format("%s::%s", scope_name(table, scope), name);
        free(name);
        name = longer;
    }
    found->name = name;
    return name;
}
