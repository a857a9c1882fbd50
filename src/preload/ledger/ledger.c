#include "ledger.h"

#include "beside.h"
#include "heap_walk.h"
#include "huge_page.h"
#include "label.h"
#include "loader_pages.h"
#include "range_list.h"
#include "residency.h"
#include "preload/ground/sample.h"
#include "preload/ground/sys.h"
#include "preload/tables/thread.h"
#include "trim.h"

#include <string.h>
#include <sys/auxv.h>

enum {
    OWN_SPARE = 64, /* areas that come in between counting and copying */
    ARENA_BITS = 26 /* glibc's heaps of threads lie in windows of 64 MiB */
};

struct ledger_run {
    struct ledger ledger;
    struct residency residency;
    bool scanned, measured;

    struct thread_stack_list stacks;
    struct range_list earlier, ranges; /* as of before and after the scan */
    struct loader_pages loader;
    struct own_area *own;
    size_t own_count, own_room;
    struct ledger_site *sites;
    uint64_t site_count;
    struct line_table lines;

    bool glibc;
    uint64_t blurred_bytes; /* of pages whose blocks are not all known: a sampled run's */
    struct label_walk labels;
    struct label
        label; /* of all pages from the one it was asked for to the end, of a file or not */
    uint64_t label_end;
    bool label_file;
    struct heap_walk heap;
    struct tcache_list tcache;
    struct trim trim;
    struct huge_page huge;
    struct share share;
};

/* Copies of what is in address order. */

static bool copy_own(struct ledger_run *run)
{
    size_t room = own_copy(NULL, 0) + OWN_SPARE;
    run->own = sys_pages(room * sizeof(*run->own));
    if (!run->own)
        return false;
    run->own_room = room;
    run->own_count = own_copy(run->own, room);
    return run->own_count <= room;
}

static bool make_sites(struct ledger_run *run, const struct box_view *view)
{
    run->site_count = view->tables[BOX_SITES].count;
    run->sites = sys_pages_present((run->site_count + 1) * sizeof(*run->sites));
    return run->sites != NULL;
}

/* Opening and closing. */

struct ledger_run *ledger_open(void)
{
    struct ledger_run *run = sys_pages(sizeof(*run));
    if (!run)
        return NULL;
    if (range_list_open(&run->earlier) && range_list_open(&run->ranges) &&
        residency_open(&run->residency)) {
        thread_stack_gather(&run->stacks);
        range_list_copy(&run->earlier);
        return run;
    }
    ledger_close(run);
    return NULL;
}

static void pages_free(void *pages, size_t bytes)
{
    if (pages)
        sys_pages_free(pages, bytes);
}

void ledger_close(struct ledger_run *run)
{
    if (!run)
        return;
    residency_close(&run->residency);
    thread_stack_free(&run->stacks);
    line_close(&run->lines);
    tcache_list_free(&run->tcache);
    loader_pages_free(&run->loader);
    range_list_free(&run->earlier);
    range_list_free(&run->ranges);
    pages_free(run->own, run->own_room * sizeof(*run->own));
    pages_free(run->sites, (run->site_count + 1) * sizeof(*run->sites));
    sys_pages_free(run, sizeof(*run));
}

void ledger_prepare(struct ledger_run *run)
{
    residency_prepare(&run->residency);
}

bool ledger_scan(struct ledger_run *run)
{
    enum residency_result result = residency_scan(&run->residency);
    run->scanned = result == RESIDENCY_DONE;
    return result != RESIDENCY_FULL;
}

bool ledger_enlarge(struct ledger_run *run)
{
    return residency_enlarge(&run->residency);
}

void ledger_measure(struct ledger_run *run)
{
    /* As soon after the scan as can be: what was mapped just before it is there. */
    range_list_copy(&run->ranges);
    if (run->scanned)
        residency_measure(&run->residency);
    run->measured = run->scanned;
}

void ledger_stood_still(struct ledger_run *run)
{
    run->ledger.stopped = true;
}

/* One page after another. */

static void add_site(struct ledger_run *run, uint32_t site, uint64_t bytes)
{
    run->sites[site < run->site_count ? site : 0].live_bytes += bytes;
}

/* Pages that no block has ever been on, or whose blocks say nothing. */
static void add_label(struct ledger_run *run, const struct label *label, uint64_t start,
                      uint64_t end, bool huge)
{
    if (label->heap != LABEL_NO_HEAP)
        trim_free(&run->trim, start, end);
    if (label->site != BOX_NONE)
        add_site(run, label->site, end - start);
    else if (label->spare && sample.period_bytes != 0)
        run->blurred_bytes += end - start;
    else if (label->spare && huge)
        huge_page_spare(&run->huge, label->line, end - start, &run->lines);
    else
        line_add(&run->lines, label->line, end - start);
}

/* What a sampled block stands for is an estimate, settled when all is known. */
static void add_blurred(struct ledger_run *run, uint64_t page_bytes)
{
    const struct share *share = &run->share;
    run->blurred_bytes += page_bytes;
    for (uint32_t i = 0; i < share->live_count; i++) {
        const struct share_part *part = &share->live[i];
        add_site(run, part->site, (uint64_t)part->live_bytes * part->weight / SHARE_WEIGHT_ONE);
    }
}

static void add_page(struct ledger_run *run, const struct label *label, bool huge)
{
    const struct share *share = &run->share;
    bool live = share_is_live(share);
    if (!live && label->claimed) {
        add_label(run, label, share->start, share->end, huge);
        return;
    }
    if (sample.period_bytes != 0) {
        add_blurred(run, share->end - share->start);
        return;
    }
    share_out(share, !label->claimed, run->sites, run->site_count);
    if (live)
        trim_live(&run->trim, run->heap.first_start, run->heap.last_end);
    else
        trim_free(&run->trim, share->start, share->end);
    for (uint32_t i = 0; huge && i < share->live_count; i++)
        huge_page_live(&run->huge, share->live[i].site,
                       share->live[i].live_bytes + share->live[i].slack_bytes);
}

static void add_inside(struct ledger_run *run, const struct share_block *block, uint64_t start,
                       uint64_t end, bool huge)
{
    if (sample.period_bytes != 0) {
        run->blurred_bytes += end - start;
        add_site(run, block->site, (end - start) * block->weight / SHARE_WEIGHT_ONE);
        return;
    }
    add_site(run, block->site, end - start);
    trim_live(&run->trim, block->start, block->usable_end);
    if (huge)
        huge_page_live(&run->huge, block->site, end - start);
}

/* Pages of one label. */
static void add_run(struct ledger_run *run, const struct label *label, uint64_t start, uint64_t end,
                    bool huge)
{
    uint64_t heap = label->heap == LABEL_ARENA ? start >> ARENA_BITS : label->heap;
    trim_enter(&run->trim, heap, label->heap == LABEL_MAIN_HEAP);
    if (label->own) {
        add_label(run, label, start, end, false);
        return;
    }
    run->heap.mapped = label->heap == LABEL_NO_HEAP;
    while (start < end) {
        uint64_t limit = end;
        if (huge) {
            huge_page_enter(&run->huge, start, run->sites, run->site_count, &run->lines);
            uint64_t border = run->huge.start + HUGE_PAGE_BYTES;
            limit = border < end ? border : end;
        }
        struct heap_run found = heap_next(&run->heap, start, limit, &run->share);
        if (found.kind == HEAP_PAGE)
            add_page(run, label, huge);
        else if (found.kind == HEAP_INSIDE)
            add_inside(run, &found.inside, start, found.end, huge);
        else
            add_label(run, label, start, found.end, huge);
        start = found.end;
    }
}

static void add_region(struct ledger_run *run, const struct residency_region *region)
{
    bool file = region->flags & RESIDENCY_FILE;
    for (uint64_t at = region->start; at < region->end;) {
        if (at >= run->label_end || file != run->label_file)
            run->label_end = label_next(&run->labels, at, UINT64_MAX, file, &run->label);
        run->label_file = file;
        uint64_t end = run->label_end < region->end ? run->label_end : region->end;
        add_run(run, &run->label, at, end, region->flags & RESIDENCY_HUGE);
        at = end;
    }
}

/* The thread pointer of the main thread, if it has had an event. */
static uintptr_t main_pointer(void)
{
    int32_t self = sys_pid();
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (__atomic_load_n(&thread->tid, __ATOMIC_RELAXED) == self)
            return __atomic_load_n(&thread->pointer, __ATOMIC_RELAXED);
    return 0;
}

static void add_regions(struct ledger_run *run)
{
    struct residency_region region;
    const struct label_sources sources = {.vmas = &run->residency.vmas,
                                          .own = run->own,
                                          .own_count = run->own_count,
                                          .stacks = &run->stacks,
                                          .ranges = &run->ranges,
                                          .earlier = &run->earlier,
                                          .loader = &run->loader,
                                          .lines = &run->lines,
                                          .storage = main_pointer(),
                                          .glibc = run->glibc};
    run->labels = label_walk(&sources);
    run->heap = heap_walk(getauxval(AT_PAGESZ));
    run->trim = (struct trim){.page_bytes = run->heap.page_bytes,
                              .cached = run->tcache.chunks,
                              .cached_count = run->tcache.count};
    for (struct residency_cursor at = {0}; residency_next(&run->residency, &at, &region);)
        add_region(run, &region);
    trim_enter(&run->trim, 0, false);
    huge_page_enter(&run->huge, UINT64_MAX, run->sites, run->site_count, &run->lines);
}

/* Sums. */

static bool is_estimate(const struct box_view *view, uint64_t index)
{
    const struct box_site *site = box_view_entry(view, BOX_SITES, index);
    return !site || site->kind != BOX_KIND_MMAP;
}

/* A sampled run's: the sites' estimates are cut down to what there is; what they leave is a line. */
static void settle_blurred(struct ledger_run *run, const struct box_view *view)
{
    uint64_t estimate = 0, left_bytes = run->blurred_bytes;
    if (sample.period_bytes == 0)
        return;
    for (uint64_t i = 0; i < run->site_count; i++)
        estimate += is_estimate(view, i) ? run->sites[i].live_bytes : 0;
    double part = estimate > left_bytes ? (double)left_bytes / (double)estimate : 1;
    for (uint64_t i = 0; i < run->site_count; i++) {
        if (!is_estimate(view, i))
            continue;
        uint64_t bytes = (uint64_t)((double)run->sites[i].live_bytes * part);
        bytes = bytes < left_bytes ? bytes : left_bytes;
        run->sites[i].live_bytes = bytes;
        left_bytes -= bytes;
    }
    if (left_bytes > 0)
        line_add(&run->lines, line_find(&run->lines, LINE_METADATA, LEDGER_NOT_TOLD_APART),
                 left_bytes);
}

static uint64_t site_bytes(const struct ledger_site *site)
{
    return site->live_bytes + site->slack_bytes + site->pinned_bytes + site->huge_bytes +
           site->idle_bytes;
}

/* Blocks of sites that have come since the counters were read have gone to site 0, which is none. */
static void settle_newcomers(struct ledger_run *run)
{
    uint64_t bytes = site_bytes(&run->sites[0]);
    if (bytes > 0)
        line_add(&run->lines, line_find(&run->lines, LINE_METADATA, LEDGER_NOT_TOLD_APART), bytes);
    memset(&run->sites[0], 0, sizeof(run->sites[0]));
}

static void add_up(struct ledger_run *run)
{
    struct ledger *ledger = &run->ledger;
    uint64_t idle_bytes = 0;
    for (uint64_t i = 0; i < run->site_count; i++) {
        ledger->sum_bytes += site_bytes(&run->sites[i]);
        idle_bytes += run->sites[i].idle_bytes;
    }
    for (size_t i = 0; i < ledger->line_count; i++)
        ledger->sum_bytes += ledger->lines[i].bytes;
    ledger->source = run->residency.source;
    ledger->rss_bytes =
        run->residency.figures.known ? run->residency.figures.rss_bytes : ledger->sum_bytes;
    ledger->sites = run->sites;
    ledger->site_count = run->site_count;
    if (sample.period_bytes != 0)
        return;
    if (run->glibc) {
        ledger->trim_bytes = run->trim.bytes;
        ledger->trim_is_limit = !run->tcache.whole;
    } else {
        ledger->purge_bytes = idle_bytes;
    }
}

const struct ledger *ledger_settle(struct ledger_run *run, const struct box_view *view)
{
    if (!run->scanned || !copy_own(run) || !make_sites(run, view) || !line_open(&run->lines))
        return NULL;
    run->glibc = strcmp(view->header->allocator, "glibc") == 0;
    if (run->measured)
        beside_measure(&run->residency.figures, &run->ledger);
    if (run->glibc && sample.period_bytes == 0)
        tcache_gather(&run->tcache);
    loader_pages_gather(&run->loader);
    thread_stack_place(&run->stacks, &run->residency.vmas);
    add_regions(run);
    settle_blurred(run, view);
    settle_newcomers(run);
    if (!line_finish(&run->lines, &run->ledger))
        return NULL;
    add_up(run);
    return &run->ledger;
}
