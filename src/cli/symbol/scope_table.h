/*
 * scope_table.h - namespaces and classes of functions that DWARF gives no linker name.
 *
 * What it is: of one compilation unit, where each function was declared. Compilers leave the linker
 *   name out for lambdas, templates and anonymous namespaces, often of inlined functions.
 * Owns: its index and the names it makes. Context: cli. Not here: functions by address
 *   (function_table.h).
 */
#ifndef HEAPDIFF_CLI_SCOPE_TABLE_H
#define HEAPDIFF_CLI_SCOPE_TABLE_H

#include <elfutils/libdw.h>

struct scope_table;

/* Reads all of `unit`. */
struct scope_table *scope_table_new(Dwarf_Die *unit);
void scope_table_free(struct scope_table *table);

/* "space::type::function", as long as the table lives; NULL when the function stands alone. */
const char *scope_table_name(struct scope_table *table, Dwarf_Die *function);

#endif
