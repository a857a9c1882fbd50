/*
 * symbol_table.h - the functions of an ELF file's symbol tables, by address.
 *
 * What it is: .symtab, the one in .gnu_debugdata and .dynsym (whatever libdwfl found), sorted.
 * Owns: the index; the names are the module's. Context: cli. Not here: DWARF (unit_table.h).
 */
#ifndef HEAPDIFF_CLI_SYMBOL_TABLE_H
#define HEAPDIFF_CLI_SYMBOL_TABLE_H

#include <elfutils/libdwfl.h>
#include <stdint.h>

struct symbol_table;

struct symbol {
    uint64_t start, limit; /* limit: one past the last byte */
    const char *name;
    uint64_t rank; /* of several at one place the lowest is shown */
};

struct symbol_table *symbol_table_new(Dwfl_Module *module);
void symbol_table_free(struct symbol_table *table);

/* The function around `address` (as the module places it), or NULL. */
const struct symbol *symbol_table_find(const struct symbol_table *table, uint64_t address);

#endif
