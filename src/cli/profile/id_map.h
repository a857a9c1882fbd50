/*
 * id_map.h - from the ids messages carry to the indexes of our arrays.
 *
 * What it is: writers usually number from 1 in order, then the map is a subtraction; a hash table
 * is made only when they do not. Valid when zeroed. Owns: its ids and table. Context: cli. Not
 * here: what the ids name.
 */
#ifndef HEAPDIFF_CLI_ID_MAP_H
#define HEAPDIFF_CLI_ID_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id_map {
    size_t count, room;
    bool disordered;                  /* the ids are not 1, 2, 3 ... */
    uint64_t *ids;                    /* by index */
    struct id_entry *entries, *table; /* one entry for each index; NULL while in order */
};

/* Gives `id` the next index. */
void id_map_put(struct id_map *map, uint64_t id);
/* Readies the map for id_map_find(), once all are put; false when an id is 0 or occurs twice. */
bool id_map_index(struct id_map *map);
/* The index of `id`, or -1. */
int id_map_find(const struct id_map *map, uint64_t id);
/* Frees what it holds and empties it. */
void id_map_clear(struct id_map *map);

#endif
