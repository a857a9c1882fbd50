#include "id_map.h"

#include "cli/ground/memory.h"

#include <stdlib.h>
#include <uthash.h>

struct id_entry {
    uint64_t id;
    UT_hash_handle hh;
};

void id_map_put(struct id_map *map, uint64_t id)
{
    map->ids = memory_grown(map->ids, map->count, &map->room, sizeof *map->ids);
    map->ids[map->count++] = id;
    if (id != map->count)
        map->disordered = true;
}

bool id_map_index(struct id_map *map)
{
    if (!map->disordered)
        return true;
    map->entries = memory_zeroed(map->count, sizeof *map->entries);
    for (size_t i = 0; i < map->count; i++) {
        struct id_entry *entry = &map->entries[i], *found;
        entry->id = map->ids[i];
        HASH_FIND(hh, map->table, &entry->id, sizeof entry->id, found);
        if (found || entry->id == 0)
            return false;
        HASH_ADD(hh, map->table, id, sizeof entry->id, entry);
    }
    return true;
}

int id_map_find(const struct id_map *map, uint64_t id)
{
    if (!map->disordered)
        return id != 0 && id <= map->count ? (int)(id - 1) : -1;
    struct id_entry *found;
    HASH_FIND(hh, map->table, &id, sizeof id, found);
    return found ? (int)(found - map->entries) : -1;
}

void id_map_clear(struct id_map *map)
{
    HASH_CLEAR(hh, map->table);
    free(map->entries);
    free(map->ids);
    *map = (struct id_map){0};
}
