#include "heap_walk.h"

#include "preload/ground/sample.h"
#include "preload/tables/usable.h"

struct heap_walk heap_walk(uint64_t page_bytes)
{
    return (struct heap_walk){.page_bytes = page_bytes};
}

/* How many blocks a sampled one stands for. */
static uint32_t weight_of(const struct block *block)
{
    uint64_t objects = 0, bytes = 0;
    if (sample.period_bytes == 0)
        return SHARE_WEIGHT_ONE;
    sample_weigh(block->size_bytes, 1, &objects, &bytes);
    return objects < UINT32_MAX ? (uint32_t)objects : UINT32_MAX;
}

static struct share_block block_of(const struct heap_walk *walk, uintptr_t address,
                                   const struct block *block, bool live)
{
    uint64_t end = address + block->size_bytes;
    uint64_t slack_bytes =
        live ? usable_slack(block->lot, address, block->size_bytes, walk->mapped) : 0;
    return (struct share_block){address,          end, end + slack_bytes, block->site,
                                weight_of(block), live};
}

/* Keeps the block for the pages that follow. What lives never lacks a place: a ghost makes way. */
static void carry(struct heap_walk *walk, const struct share_block *block)
{
    uint32_t at = walk->carried_count;
    if (at < HEAP_CARRIED_MAX)
        walk->carried_count++;
    else
        for (at = 0; at < HEAP_CARRIED_MAX && (!block->live || walk->carried[at].live);)
            at++;
    if (at < HEAP_CARRIED_MAX)
        walk->carried[at] = *block;
}

/* Puts the block on the page, and keeps it where it reaches beyond. */
static void put(struct heap_walk *walk, struct share *share, const struct share_block *block)
{
    share_put(share, block);
    if (block->usable_end > share->end)
        carry(walk, block);
    if (!block->live)
        return;
    if (block->start < walk->first_start)
        walk->first_start = block->start;
    if (block->usable_end > walk->last_end)
        walk->last_end = block->usable_end;
}

/* Forgets what ends at `page` or before. */
static void carry_on(struct heap_walk *walk, uint64_t page)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < walk->carried_count; i++)
        if (walk->carried[i].usable_end > page)
            walk->carried[kept++] = walk->carried[i];
    walk->carried_count = kept;
}

static void large_peek(struct heap_walk *walk)
{
    if (walk->large_known || walk->large_over)
        return;
    walk->large_known = block_large_next(&walk->large_from, &walk->large);
    walk->large_over = !walk->large_known;
}

/* Carries those that began before `page` and reach it; the next one begins there or later. */
static void large_skip(struct heap_walk *walk, uint64_t page)
{
    for (large_peek(walk); walk->large_known && walk->large.address < page; large_peek(walk)) {
        struct share_block block =
            block_of(walk, walk->large.address, &walk->large.block, walk->large.live);
        walk->large_known = false;
        if (block.usable_end > page)
            carry(walk, &block);
    }
}

/* A live block on one page, as nearly all are. False: not here. */
static inline bool put_whole(struct heap_walk *walk, struct share *share, uint64_t start,
                             const struct box_lot *lot, uint32_t number)
{
    uint64_t bytes = lot->size_bytes;
    uint64_t slack_bytes = usable_slack(number, start, bytes, false);
    if (start + bytes + slack_bytes > share->end || sample.period_bytes != 0 ||
        !share_put_whole(share, lot->site, (uint32_t)bytes, (uint32_t)slack_bytes))
        return false;
    if (start < walk->first_start)
        walk->first_start = start;
    if (start + bytes + slack_bytes > walk->last_end)
        walk->last_end = start + bytes + slack_bytes;
    return true;
}

/* A ghost that ends on the page. Where somebody lives, ghosts do not matter. False: not here. */
static inline bool put_ghost(struct share *share, uint64_t start, const struct box_lot *lot)
{
    if (start + lot->size_bytes > share->end)
        return false;
    if (share->live_count == 0)
        share_put_ghost(share, lot->site, lot->size_bytes);
    return true;
}

static struct share_block small_block(const struct heap_walk *walk, uint64_t page,
                                      const struct block_small *small)
{
    const struct box_lot *lot = lot_at(small->lot);
    const struct block block = {
        .site = lot->site, .lot = small->lot, .size_bytes = lot->size_bytes};
    return block_of(walk, page + small->at, &block, small->live);
}

/* Carries small ones of the page before that reach into this one. */
static void small_reach(struct heap_walk *walk, uint64_t page)
{
    uint64_t before = page - BLOCK_PAGE_SMALL;
    unsigned count = page >= BLOCK_PAGE_SMALL ? block_page(before, walk->small) : 0;
    for (unsigned i = 0; i < count; i++) {
        struct share_block block = small_block(walk, before, &walk->small[i]);
        if (block.usable_end > page)
            carry(walk, &block);
    }
}

static void put_small(struct heap_walk *walk, struct share *share)
{
    for (uint64_t part = share->start; part < share->end; part += BLOCK_PAGE_SMALL) {
        unsigned count = block_page(part, walk->small);
        for (unsigned i = 0; i < count; i++) {
            const struct block_small *small = &walk->small[i];
            const struct box_lot *lot = lot_at(small->lot);
            if (small->live ? put_whole(walk, share, part + small->at, lot, small->lot)
                            : put_ghost(share, part + small->at, lot))
                continue;
            struct share_block block = small_block(walk, part, small);
            put(walk, share, &block);
        }
    }
}

static void put_large(struct heap_walk *walk, struct share *share)
{
    for (large_peek(walk); walk->large_known && walk->large.address < share->end;
         large_peek(walk)) {
        struct share_block block =
            block_of(walk, walk->large.address, &walk->large.block, walk->large.live);
        walk->large_known = false;
        put(walk, share, &block);
    }
}

/* The first page from `from` on that may have small blocks. */
static uint64_t small_peek(struct heap_walk *walk, uint64_t from)
{
    if (from >= walk->small_from && from < walk->small_next)
        return walk->small_next;
    walk->small_from = from;
    walk->small_next = block_page_next(from);
    return walk->small_next;
}

static struct heap_run page_of(struct heap_walk *walk, uint64_t page, struct share *share)
{
    share_begin(share, page, page + walk->page_bytes);
    walk->first_start = UINT64_MAX;
    walk->last_end = 0;
    uint32_t carried = walk->carried_count;
    walk->carried_count = 0;
    for (uint32_t i = 0; i < carried; i++) {
        struct share_block block = walk->carried[i]; /* put() may write over it */
        put(walk, share, &block);
    }
    put_small(walk, share);
    put_large(walk, share);
    walk->last = true;
    walk->page = share->end;
    bool any = share->live_count > 0 || share->ghost_count > 0;
    return (struct heap_run){.kind = any ? HEAP_PAGE : HEAP_NONE, .end = share->end};
}

/* The live block that all of [page, *end) lies in, *end cut to where that stops; NULL: there is none. */
static const struct share_block *inside_of(const struct heap_walk *walk, uint64_t page,
                                           uint64_t *end)
{
    for (uint32_t i = 0; i < walk->carried_count; i++) {
        const struct share_block *block = &walk->carried[i];
        if (!block->live || block->end < page + walk->page_bytes)
            continue;
        uint64_t whole = block->end & -walk->page_bytes;
        if (whole < *end)
            *end = whole;
        return block;
    }
    return NULL;
}

struct heap_run heap_next(struct heap_walk *walk, uint64_t page, uint64_t end, struct share *share)
{
    bool follows = walk->last && walk->page == page;
    walk->last = false;
    carry_on(walk, page);
    large_skip(walk, page);
    uint64_t small = small_peek(walk, follows ? page : page - walk->page_bytes);
    if (!follows && small < page)
        small_reach(walk, page);
    uint64_t page_end = page + walk->page_bytes;
    if (small < page_end || (walk->large_known && walk->large.address < page_end))
        return page_of(walk, page, share);
    uint64_t free_end = small & -walk->page_bytes;
    if (walk->large_known && walk->large.address < free_end)
        free_end = walk->large.address & -walk->page_bytes;
    if (free_end < end)
        end = free_end;
    const struct share_block *inside = inside_of(walk, page, &end);
    walk->page = end;
    walk->last = true;
    if (inside)
        return (struct heap_run){.kind = HEAP_INSIDE, .end = end, .inside = *inside};
    return walk->carried_count == 0 ? (struct heap_run){.kind = HEAP_NONE, .end = end}
                                    : page_of(walk, page, share);
}
