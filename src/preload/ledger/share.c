#include "share.h"

void share_begin(struct share *share, uint64_t start, uint64_t end)
{
    share->start = start;
    share->end = end;
    share->live_count = share->ghost_count = 0;
    share->covered_bytes = share->ghost_bytes = 0;
}

/* Bytes of [start, end) on the page. */
static inline uint32_t overlap(const struct share *share, uint64_t start, uint64_t end)
{
    if (start < share->start)
        start = share->start;
    if (end > share->end)
        end = share->end;
    return end > start ? (uint32_t)(end - start) : 0;
}

/* As much as the page still has: two blocks at one place are one too many. */
static inline uint32_t take(struct share *share, uint32_t bytes)
{
    uint32_t left_bytes = (uint32_t)(share->end - share->start) - share->covered_bytes;
    if (bytes > left_bytes)
        bytes = left_bytes;
    share->covered_bytes += bytes;
    return bytes;
}

void share_put(struct share *share, const struct share_block *block)
{
    uint64_t end = block->usable_end > block->start ? block->usable_end : block->start + 1;
    if (block->start >= share->end || end <= share->start)
        return;
    uint32_t bytes = overlap(share, block->start, block->end);
    if (!block->live) {
        if (share->ghost_count < SHARE_PARTS_MAX) {
            struct share_part *part = &share->ghosts[share->ghost_count++];
            *part = (struct share_part){block->site, bytes, 0, SHARE_WEIGHT_ONE};
            share->ghost_bytes += bytes;
        }
        return;
    }
    if (share->live_count == SHARE_PARTS_MAX)
        return;
    struct share_part *part = &share->live[share->live_count++];
    part->site = block->site;
    part->weight = block->weight;
    part->live_bytes = take(share, bytes);
    part->slack_bytes = take(share, overlap(share, block->end, block->usable_end));
}

static inline struct ledger_site *site_of(struct ledger_site *sites, uint64_t site_count,
                                          uint32_t site)
{
    return &sites[site < site_count ? site : 0];
}

/* What no block covers is pinned, by what each covers. */
static void share_live(const struct share *share, struct ledger_site *sites, uint64_t site_count)
{
    uint64_t page_bytes = share->end - share->start;
    struct share_payer pinned =
        share_payer(page_bytes - share->covered_bytes, share->covered_bytes);
    for (uint32_t i = 0; i < share->live_count; i++) {
        const struct share_part *part = &share->live[i];
        struct ledger_site *site = site_of(sites, site_count, part->site);
        site->live_bytes += part->live_bytes;
        site->slack_bytes += part->slack_bytes;
        site->pinned_bytes += share_pay(&pinned, part->live_bytes + part->slack_bytes);
    }
}

static void share_idle(const struct share *share, struct ledger_site *sites, uint64_t site_count)
{
    struct share_payer idle = share_payer(share->end - share->start, share->ghost_bytes);
    for (uint32_t i = 0; i < share->ghost_count; i++) {
        const struct share_part *part = &share->ghosts[i];
        site_of(sites, site_count, part->site)->idle_bytes += share_pay(&idle, part->live_bytes);
    }
}

bool share_out(const struct share *share, bool idle, struct ledger_site *sites, uint64_t site_count)
{
    if (share->live_count > 0)
        share_live(share, sites, site_count);
    else if (idle && share->ghost_count > 0)
        share_idle(share, sites, site_count);
    else
        return false;
    return true;
}
