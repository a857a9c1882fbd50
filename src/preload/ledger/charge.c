#include "charge.h"

#include "preload/ground/sample.h"

#include <sys/auxv.h>

enum { ARENA_BITS = 26 /* glibc's heaps of threads lie in windows of 64 MiB */ };

static void add_site(struct charge *charge, uint32_t site, uint64_t bytes)
{
    charge->sites[site < charge->site_count ? site : 0].live_bytes += bytes;
}

/* Pages that no block has ever been on, or whose blocks say nothing. */
static void add_label(struct charge *charge, const struct label *label, uint64_t start,
                      uint64_t end, bool huge)
{
    if (label->heap != LABEL_NO_HEAP)
        trim_free(&charge->trim, start, end);
    if (label->site != BOX_NONE)
        add_site(charge, label->site, end - start);
    else if (label->spare && sample.period_bytes != 0)
        charge->blurred_bytes += end - start;
    else if (label->spare && huge)
        huge_page_spare(&charge->huge, label->line, end - start, charge->lines);
    else
        line_add(charge->lines, label->line, end - start);
}

/* What a sampled block stands for is an estimate, settled when all is known. */
static void add_blurred(struct charge *charge, uint64_t page_bytes)
{
    const struct share *share = &charge->share;
    charge->blurred_bytes += page_bytes;
    for (uint32_t i = 0; i < share->live_count; i++) {
        const struct share_part *part = &share->live[i];
        add_site(charge, part->site, (uint64_t)part->live_bytes * part->weight / SHARE_WEIGHT_ONE);
    }
}

static void add_page(struct charge *charge, const struct label *label, bool huge)
{
    const struct share *share = &charge->share;
    bool live = share_is_live(share);
    if (!live && label->claimed) {
        add_label(charge, label, share->start, share->end, huge);
        return;
    }
    if (sample.period_bytes != 0) {
        add_blurred(charge, share->end - share->start);
        return;
    }
    share_out(share, !label->claimed, charge->sites, charge->site_count);
    if (live)
        trim_live(&charge->trim, charge->heap.first_start, charge->heap.last_end);
    else
        trim_free(&charge->trim, share->start, share->end);
    for (uint32_t i = 0; huge && i < share->live_count; i++)
        huge_page_live(&charge->huge, share->live[i].site,
                       share->live[i].live_bytes + share->live[i].slack_bytes);
}

static void add_inside(struct charge *charge, const struct share_block *block, uint64_t start,
                       uint64_t end, bool huge)
{
    if (sample.period_bytes != 0) {
        charge->blurred_bytes += end - start;
        add_site(charge, block->site, (end - start) * block->weight / SHARE_WEIGHT_ONE);
        return;
    }
    add_site(charge, block->site, end - start);
    trim_live(&charge->trim, block->start, block->usable_end);
    if (huge)
        huge_page_live(&charge->huge, block->site, end - start);
}

/* Pages of one label. */
static void add_run(struct charge *charge, const struct label *label, uint64_t start, uint64_t end,
                    bool huge)
{
    uint64_t heap = label->heap == LABEL_ARENA ? start >> ARENA_BITS : label->heap;
    trim_enter(&charge->trim, heap, label->heap == LABEL_MAIN_HEAP);
    if (label->own) {
        add_label(charge, label, start, end, false);
        return;
    }
    charge->heap.mapped = label->heap == LABEL_NO_HEAP;
    if (!huge && heap_is_clear(&charge->heap, end)) {
        add_label(charge, label, start, end, false);
        return;
    }
    while (start < end) {
        uint64_t limit = end;
        if (huge) {
            huge_page_enter(&charge->huge, start, charge->sites, charge->site_count, charge->lines);
            uint64_t border = charge->huge.start + HUGE_PAGE_BYTES;
            limit = border < end ? border : end;
        }
        struct heap_run found = heap_next(&charge->heap, start, limit, &charge->share);
        if (found.kind == HEAP_PAGE)
            add_page(charge, label, huge);
        else if (found.kind == HEAP_INSIDE)
            add_inside(charge, found.inside, start, found.end, huge);
        else
            add_label(charge, label, start, found.end, huge);
        start = found.end;
    }
}

void charge_region(struct charge *charge, const struct residency_region *region)
{
    bool file = region->flags & RESIDENCY_FILE;
    for (uint64_t at = region->start; at < region->end;) {
        if (at >= charge->label_end || file != charge->label_file)
            charge->label_end = label_next(&charge->labels, at, UINT64_MAX, file, &charge->label);
        charge->label_file = file;
        uint64_t end = charge->label_end < region->end ? charge->label_end : region->end;
        add_run(charge, &charge->label, at, end, region->flags & RESIDENCY_HUGE);
        at = end;
    }
}

void charge_begin(struct charge *charge, const struct label_sources *sources)
{
    charge->labels = label_walk(sources);
    charge->heap = heap_walk(getauxval(AT_PAGESZ));
    charge->trim.page_bytes = charge->heap.page_bytes;
}

void charge_end(struct charge *charge)
{
    trim_enter(&charge->trim, 0, false);
    huge_page_enter(&charge->huge, UINT64_MAX, charge->sites, charge->site_count, charge->lines);
}
