#include "history.h"

#include "preload/ground/permit.h"
#include "preload/ground/sys.h"

enum { HISTORY_PAGE_BYTES = 4096 };

/* All of [from, to) is written at the next mark: a few calls are cheaper than a fault a page. */
static void populate(uint32_t from, uint32_t to)
{
    const uint32_t shift = arena.tables[BOX_HISTORY].shift;
    while (from < to && permit_has(PERMIT_ADVICE)) {
        uint64_t next = box_chunk_entries(shift, box_chunk_of(from, shift) + 1) - (1ull << shift);
        uint32_t last = (uint32_t)(next < to ? next : to) - 1;
        uintptr_t start = (uintptr_t)arena_entry(BOX_HISTORY, from) & -HISTORY_PAGE_BYTES;
        uintptr_t end = (uintptr_t)arena_entry(BOX_HISTORY, last) + sizeof(struct box_history);
        sys_advise((void *)start, end - start, SYS_ADVICE_POPULATE);
        from = last + 1;
    }
}

bool history_reach(void)
{
    uint32_t sites = arena.tables[BOX_SITES].count, before = arena.tables[BOX_HISTORY].count;
    if (before >= sites)
        return true;
    while (arena.tables[BOX_HISTORY].count < sites)
        if (arena_append(BOX_HISTORY, 1) == BOX_NONE)
            break;
    arena_publish(BOX_HISTORY);
    populate(before, arena.tables[BOX_HISTORY].count);
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
