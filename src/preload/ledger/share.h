/*
 * share.h - one resident page, shared out to the sites of the blocks on it.
 *
 * What it is: the blocks and ghosts that reach into a page are put in, one after another; then each byte of
 *   the page goes to a site: as live, slack or pinned where a block lives, else as idle where ghosts were.
 *   Shares are integers that add up to the page, whatever was put in.
 * Owns: nothing; the sites' sums are the caller's.
 * Context: any.
 * Not here: which pages there are and what else they may be (ledger.c).
 */
#ifndef HEAPDIFF_PRELOAD_SHARE_H
#define HEAPDIFF_PRELOAD_SHARE_H

#include "format/ledger.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SHARE_PAGE_BYTES_MAX = 64 << 10, /* aarch64 */
    /* Blocks of 16 bytes; more are none that a page can have: left out, their bytes are pinned. */
    SHARE_PARTS_MAX = SHARE_PAGE_BYTES_MAX / 16 + 64,
    SHARE_WEIGHT_ONE = 1024 /* of a block that stands for itself alone (BOX_OBJECT_PARTS) */
};

/* What one block has on the page. */
struct share_part {
    uint32_t site;
    uint32_t live_bytes;
    uint32_t slack_bytes;
    uint32_t weight;
};

struct share {
    uint64_t start, end; /* the page */
    uint32_t live_count, ghost_count;
    /* Of live_bytes and slack_bytes of all parts: never more than the page. */
    uint32_t covered_bytes;
    uint32_t ghost_bytes; /* ghosts may overlap: as it is */
    struct share_part live[SHARE_PARTS_MAX];
    struct share_part ghosts[SHARE_PARTS_MAX]; /* their bytes are live_bytes; nothing else is set */
};

/* A block, or the ghost of one. Its requested bytes end at `end`, what the allocator gave at `usable_end`. */
struct share_block {
    uint64_t start, end, usable_end;
    uint32_t site;
    uint32_t weight;
    bool live;
};

void share_begin(struct share *share, uint64_t start, uint64_t end);

/* A block that may reach into the page. One that does with no byte counts too: it holds the page. */
void share_put(struct share *share, const struct share_block *block);

/* Parts that are being added: where the next one goes, and the site of the last. */
struct share_parts {
    struct share_part *next;
    uint64_t site; /* or SHARE_NO_SITE, which none has, before the first */
};

#define SHARE_NO_SITE UINT64_MAX

/* After the `count` that there are. */
static inline struct share_parts share_parts(struct share_part *parts, uint32_t count)
{
    return (struct share_parts){parts + count, SHARE_NO_SITE};
}

/* What neighbours of one site have is one part: what is pinned adds up to the same. The caller has seen to it that there is
   room. Of blocks that stand for themselves alone. */
static inline void share_part_add(struct share_parts *parts, uint32_t site, uint32_t live_bytes,
                                  uint32_t slack_bytes)
{
    if (parts->site == site) {
        parts->next[-1].live_bytes += live_bytes;
        parts->next[-1].slack_bytes += slack_bytes;
        return;
    }
    *parts->next++ = (struct share_part){site, live_bytes, slack_bytes, SHARE_WEIGHT_ONE};
    parts->site = site;
}

static inline bool share_is_live(const struct share *share)
{
    return share->live_count > 0;
}

/* Adds the page to `sites`, by their numbers: sites at or past `site_count` to site 0. True: all of it was.
   False: nothing has ever been there, or only ghosts and `idle` is false. */
bool share_out(const struct share *share, bool idle, struct ledger_site *sites,
               uint64_t site_count);

/* A number of bytes, below 2^31, to be shared out by weight: whoever comes next is given the difference to what all
   before have had. That adds up, whatever is rounded. */
struct share_payer {
    uint64_t bytes, whole; /* what there is, the sum of all weights */
    uint64_t each;         /* bytes by weight, times 2^32, rounded up: whole numbers stay whole */
    uint64_t before, paid;
};

static inline struct share_payer share_payer(uint64_t bytes, uint64_t whole)
{
    return (struct share_payer){bytes, whole, whole ? ((bytes << 32) + whole - 1) / whole : 0, 0,
                                0};
}

/* The last one that has weight gets the rest; where there is no weight at all the first gets everything. The product is
   below (bytes << 32) + whole, and of all weights it is just `bytes`, as `whole` is below 2^32. */
static inline uint64_t share_pay(struct share_payer *payer, uint64_t weight)
{
    payer->before += weight;
    uint64_t due = payer->whole ? payer->before * payer->each >> 32 : payer->bytes;
    uint64_t bytes = due - payer->paid;
    payer->paid = due;
    return bytes;
}

#endif
