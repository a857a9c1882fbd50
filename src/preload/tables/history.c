#include "history.h"

bool history_reach(void)
{
    uint32_t sites = arena.tables[BOX_SITES].count;
    if (arena.tables[BOX_HISTORY].count >= sites)
        return true;
    while (arena.tables[BOX_HISTORY].count < sites)
        if (arena_append(BOX_HISTORY, 1) == BOX_NONE)
            break;
    arena_publish(BOX_HISTORY);
    return arena.tables[BOX_HISTORY].count >= sites;
}

static void note_peak(void)
{
    for (uint32_t i = 1; i < arena.tables[BOX_HISTORY].count; i++) {
        const struct box_site *site = arena_entry(BOX_SITES, i);
        struct box_history *history = arena_entry(BOX_HISTORY, i);
        history->peak_objects = site->collected_objects;
        history->peak_bytes = site->collected_bytes;
    }
}

uint64_t history_mark(uint64_t mark)
{
    struct box_header *header = arena.header;
    uint64_t sum_bytes = 0;
    for (uint32_t i = 1; i < arena.tables[BOX_SITES].count; i++) {
        const struct box_site *site = arena_entry(BOX_SITES, i);
        struct box_history *history = history_at(i);
        if (history)
            history->live_bytes[mark % BOX_HISTORY_MARKS] = site->collected_bytes;
        sum_bytes += site->collected_bytes;
    }
    if (sum_bytes < header->peak_bytes)
        return sum_bytes;
    note_peak();
    header->peak_bytes = sum_bytes;
    header->peak_time_ns = header->collection_time_ns;
    return sum_bytes;
}
