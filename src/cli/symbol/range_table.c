#include "range_table.h"

#include "cli/ground/memory.h"

#include <stdlib.h>

enum {
    OVERLAPS_MAX = 16,       /* ranges looked at behind an address: nested functions */
    RANGES_EACH_MAX = 100000 /* of one entry; a unit of -ffunction-sections has one a function */
};

bool range_table_add(struct range_table *table, Dwarf_Die *die, size_t owner)
{
    Dwarf_Addr base = 0, start = 0, limit = 0;
    ptrdiff_t at = 0;
    bool added = false;
    for (size_t i = 0; i < RANGES_EACH_MAX; i++) {
        at = dwarf_ranges(die, at, &base, &start, &limit);
        if (at <= 0)
            break;
        /* Linkers leave ranges of dropped sections at 0, or empty. */
        if (start == 0 || start >= limit)
            continue;
        table->ranges =
            memory_grown(table->ranges, table->count, &table->capacity, sizeof(table->ranges[0]));
        table->ranges[table->count++] = (struct address_range){start, limit, owner};
        added = true;
    }
    return added;
}

/* By start; of equal ones the widest first, so that a search backwards meets the narrowest. */
static int range_compare(const void *left, const void *right)
{
    const struct address_range *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    if (a->limit != b->limit)
        return a->limit > b->limit ? -1 : 1;
    return (a->owner > b->owner) - (a->owner < b->owner);
}

void range_table_sort(struct range_table *table)
{
    if (table->count > 0)
        qsort(table->ranges, table->count, sizeof(table->ranges[0]), range_compare);
}

bool range_table_find(const struct range_table *table, uint64_t address, size_t *owner)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->ranges[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = 0; i < OVERLAPS_MAX && i < low; i++) {
        const struct address_range *range = &table->ranges[low - 1 - i];
        if (address < range->limit) {
            *owner = range->owner;
            return true;
        }
    }
    return false;
}

void range_table_clear(struct range_table *table)
{
    free(table->ranges);
    *table = (struct range_table){0};
}
