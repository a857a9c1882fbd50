/*
 * range_table.h - which thing's code an address lies in.
 *
 * What it is: address ranges of DWARF entries, each with the place of its owner, sorted.
 * Owns: its ranges. Context: cli. Not here: what the owners are (unit_table.h, function_table.h).
 */
#ifndef HEAPDIFF_CLI_RANGE_TABLE_H
#define HEAPDIFF_CLI_RANGE_TABLE_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address_range {
    uint64_t start, limit;
    size_t owner;
};

struct range_table {
    size_t count, capacity;
    struct address_range *ranges;
};

/* Adds the ranges of `die` under `owner`; false when it has none. */
bool range_table_add(struct range_table *table, Dwarf_Die *die, size_t owner);

/* To be called between the last add and the first find. */
void range_table_sort(struct range_table *table);

/* The owner of the narrowest range around `address`; false when there is none. */
bool range_table_find(const struct range_table *table, uint64_t address, size_t *owner);

void range_table_clear(struct range_table *table);

#endif
