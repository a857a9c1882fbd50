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

/* What is left out of those kept, if anything: of the ghosts the one that ends first. */
static struct share_block *least(struct heap_walk *walk)
{
    struct share_block *least = NULL;
    for (uint32_t i = 0; i < walk->carried_count; i++) {
        struct share_block *block = &walk->carried[i];
        if (!block->live && (!least || block->usable_end < least->usable_end))
            least = block;
    }
    return least;
}

/* Keeps the block for the pages that follow. What lives never lacks a place: a ghost makes way, as it does for one that
   reaches farther. */
static void carry(struct heap_walk *walk, const struct share_block *block)
{
    if (walk->carried_count < HEAP_CARRIED_MAX) {
        walk->carried[walk->carried_count++] = *block;
        return;
    }
    struct share_block *other = least(walk);
    if (other && (block->live || block->usable_end > other->usable_end))
        *other = *block;
}

/* A live block, or several from the first's start on. */
static void see_live(struct heap_walk *walk, uint64_t start, uint64_t usable_end)
{
    if (start < walk->first_start)
        walk->first_start = start;
    if (usable_end > walk->last_end)
        walk->last_end = usable_end;
}

/* Puts the block on the page, and keeps it where it reaches beyond. */
static void put(struct heap_walk *walk, struct share *share, const struct share_block *block)
{
    share_put(share, block);
    if (block->usable_end > share->end)
        carry(walk, block);
    if (block->live)
        see_live(walk, block->start, block->usable_end);
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

/* What the lot says. `glibc`: slack follows from the size, and nothing need be kept; else it is, for the next block of the
   lot: zeroed it is that of lot 0, which is none. */
static inline __attribute__((always_inline)) struct heap_lot lot_known(struct heap_walk *walk,
                                                                       uint32_t number, bool glibc)
{
    const struct box_lot *lot = lot_at(number);
    if (glibc)
        return (struct heap_lot){number, lot->site, (uint32_t)lot->size_bytes,
                                 (uint32_t)usable_slack_small(lot->size_bytes)};
    struct heap_lot *known = &walk->lots[number % HEAP_LOTS];
    if (known->lot != number)
        *known = (struct heap_lot){number, lot->site, (uint32_t)lot->size_bytes,
                                   (uint32_t)usable_slack(number, 0, lot->size_bytes, false)};
    return *known;
}

static struct share_block small_block(struct heap_walk *walk, uint64_t page,
                                      const struct block_small *small)
{
    const struct heap_lot lot = lot_known(walk, small->lot, usable.formula);
    const struct block block = {.site = lot.site, .lot = small->lot, .size_bytes = lot.size_bytes};
    return block_of(walk, page + small->at, &block, small->live);
}

/* Carries small ones of the page before that reach into this one. */
static void small_reach(struct heap_walk *walk, uint64_t page)
{
    uint64_t before = page - BLOCK_PAGE_SMALL;
    unsigned count = page >= BLOCK_PAGE_SMALL ? block_page(before, true, walk->small) : 0;
    for (unsigned i = 0; i < count; i++) {
        struct share_block block = small_block(walk, before, &walk->small[i]);
        if (block.usable_end > page)
            carry(walk, &block);
    }
}

/* Small ones from the one at `from` on, as long as they lie on the page as a whole, which nearly all do; the first that
   does not, or `small_count`. Where they overlap, which blocks never do, none is put: `from`. */
static inline __attribute__((always_inline)) unsigned put_wholes(struct heap_walk *walk,
                                                                 struct share *share, uint64_t part,
                                                                 unsigned from, bool glibc)
{
    struct share_parts live = share_parts(share->live, share->live_count);
    struct share_parts ghosts = share_parts(share->ghosts, share->ghost_count);
    uint32_t covered_bytes = share->covered_bytes, ghost_bytes = share->ghost_bytes;
    uint32_t room = (uint32_t)(share->end - part), first = room, last = 0;
    bool held = share->live_count > 0;
    unsigned i = from, count = walk->small_count;
    for (; i < count; i++) {
        const struct block_small small = walk->small[i];
        const struct heap_lot lot = lot_known(walk, small.lot, glibc);
        uint32_t whole_bytes = lot.size_bytes + lot.slack_bytes, end = small.at + whole_bytes;
        if (end > room)
            break;
        if (small.live) {
            share_part_add(&live, lot.site, lot.size_bytes, lot.slack_bytes);
            covered_bytes += whole_bytes;
            first = small.at < first ? small.at : first;
            last = end;
        } else if (last == 0 && !held) { /* where somebody lives ghosts do not matter */
            share_part_add(&ghosts, lot.site, lot.size_bytes, 0);
            ghost_bytes += lot.size_bytes;
        }
    }
    if (covered_bytes > share->end - share->start)
        return from;
    share->live_count = (uint32_t)(live.next - share->live);
    share->ghost_count = (uint32_t)(ghosts.next - share->ghosts);
    share->covered_bytes = covered_bytes;
    share->ghost_bytes = ghost_bytes;
    if (last > 0)
        see_live(walk, part + first, part + last);
    return i;
}

/* Whether as many more parts surely have room. */
static bool has_room(const struct share *share, unsigned count)
{
    return share->live_count + count <= SHARE_PARTS_MAX &&
           share->ghost_count + count <= SHARE_PARTS_MAX;
}

/* `held`: a live block is known to be on the page. */
static void put_small(struct heap_walk *walk, struct share *share, bool held)
{
    for (uint64_t part = share->start; part < share->end; part += BLOCK_PAGE_SMALL) {
        unsigned count = walk->small_count = block_page(part, held, walk->small);
        bool quick = sample.period_bytes == 0 && has_room(share, count);
        for (unsigned i = 0; i < count; i++) {
            if (quick && usable.formula)
                i = put_wholes(walk, share, part, i, true);
            else if (quick)
                i = put_wholes(walk, share, part, i, false);
            if (i == count)
                break;
            struct share_block block = small_block(walk, part, &walk->small[i]);
            put(walk, share, &block);
        }
    }
}

/* Whether the next large one is live, and begins on the page. */
static bool large_holds(struct heap_walk *walk, const struct share *share)
{
    large_peek(walk);
    return walk->large_known && walk->large.live && walk->large.address < share->end;
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
    put_small(walk, share, share->live_count > 0 || large_holds(walk, share));
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

/* Nothing reaches [page, the result), and nothing begins there. */
static uint64_t clear_to(const struct heap_walk *walk, uint64_t small)
{
    uint64_t end = small;
    if (walk->large_known && walk->large.address < end)
        end = walk->large.address;
    return end & -walk->page_bytes;
}

static struct heap_run none(struct heap_walk *walk, uint64_t end)
{
    walk->page = end;
    walk->last = true;
    return (struct heap_run){.kind = HEAP_NONE, .end = end};
}

struct heap_run heap_next(struct heap_walk *walk, uint64_t page, uint64_t end, struct share *share)
{
    if (page < walk->clear_end)
        return none(walk, end < walk->clear_end ? end : walk->clear_end);
    bool follows = walk->last && walk->page == page;
    walk->last = false;
    carry_on(walk, page);
    large_skip(walk, page);
    uint64_t small = small_peek(walk, follows ? page : page - walk->page_bytes);
    if (!follows && small < page)
        small_reach(walk, page);
    uint64_t clear_end = clear_to(walk, small);
    if (clear_end <= page)
        return page_of(walk, page, share);
    if (clear_end < end)
        end = clear_end;
    const struct share_block *inside = inside_of(walk, page, &end);
    if (inside) {
        none(walk, end);
        return (struct heap_run){.kind = HEAP_INSIDE, .end = end, .inside = inside};
    }
    if (walk->carried_count > 0)
        return page_of(walk, page, share);
    walk->clear_end = clear_end;
    return none(walk, end);
}
