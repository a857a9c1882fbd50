#include "age.h"

#include "preload/ground/arena.h"
#include "preload/ground/sample.h"
#include "preload/ground/sys.h"
#include "preload/tables/block.h"
#include "preload/tables/range.h"

enum { AGE_SPARE_SITES = 256 /* that come until the gate is closed */ };

/* Zeroed pages, which sites without blocks leave untouched. */
static bool make_room(struct age_run *run)
{
    run->room_bytes = (arena.tables[BOX_SITES].count + AGE_SPARE_SITES) * sizeof(struct age_site);
    run->table.sites = sys_pages(run->room_bytes);
    return run->table.sites != NULL;
}

bool age_open(struct age_run *run)
{
    *run = (struct age_run){0};
    if (arena.header->collections == 0 || !make_room(run))
        return false;
    run->locked = !range_is_locked_here(); /* else a handler's snapshot, inside munmap() */
    /* Whoever has it may be stopped by a collector that waits for this very thread, whose signals are blocked. */
    bool held = true;
    if (run->locked && (!range_lock_or_not(&held) || !held))
        arena_lost(&arena.header->lost.ranges);
    run->locked &= held;
    return held;
}

static void add(struct age_table *table, uint32_t site, unsigned age, uint64_t objects,
                uint64_t bytes)
{
    if (site >= table->site_count)
        return;
    table->sites[site].bytes[age] += bytes;
    if (age > 0)
        table->sites[site].survived_objects += objects;
}

static void add_block(uintptr_t address, const struct block *block, void *context)
{
    uint64_t objects = 0, bytes = 0;
    (void)address;
    sample_weigh(block->size_bytes, 1, &objects, &bytes);
    add(context, block->site, block_age(block->epoch), objects, bytes);
}

static void add_range(const struct range_piece *piece, void *context)
{
    uint64_t age = arena.header->collections - piece->epoch;
    add(context, piece->site, age < AGE_OLD ? (unsigned)age : AGE_OLD, piece->first,
        piece->end - piece->start);
}

bool age_take(struct age_run *run)
{
    run->table.site_count = arena.tables[BOX_SITES].count;
    if (run->table.site_count * sizeof(struct age_site) > run->room_bytes)
        return false;
    block_each(add_block, &run->table);
    range_each(add_range, &run->table);
    run->taken = true;
    return true;
}

bool age_enlarge(struct age_run *run)
{
    age_close(run);
    run->taken = false;
    return make_room(run);
}

void age_taken(struct age_run *run)
{
    if (run->locked)
        range_unlock();
    run->locked = false;
}

const struct age_table *age_result(const struct age_run *run)
{
    return run->taken ? &run->table : NULL;
}

void age_close(struct age_run *run)
{
    if (run->table.sites)
        sys_pages_free(run->table.sites, run->room_bytes);
    run->table.sites = NULL;
}
