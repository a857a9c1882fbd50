/*
 * function_table.h - the functions of one compilation unit, by address, and what is inlined there.
 *
 * Owns: its index. Context: cli; the DWARF may be damaged: depth and entries are bounded.
 * Not here: units (unit_table.h), names.
 */
#ifndef HEAPDIFF_CLI_FUNCTION_TABLE_H
#define HEAPDIFF_CLI_FUNCTION_TABLE_H

#include <elfutils/libdw.h>
#include <stddef.h>
#include <stdint.h>

struct function_table;

/* Reads all of `unit`. */
struct function_table *function_table_new(Dwarf_Die *unit);
void function_table_free(struct function_table *table);

/*
 * The compiled function around `address`, then what is inlined there, outermost first, into
 * scopes[scopes_max]. Returns how many, 0 for none. *start: the function's first byte, 0 if
 * unknown.
 */
size_t function_table_scopes(const struct function_table *table, uint64_t address,
                             Dwarf_Die *scopes, size_t scopes_max, uint64_t *start);

#endif
