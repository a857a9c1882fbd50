#include "ledger.h"

#include "beside.h"
#include "charge.h"
#include "loader_pages.h"
#include "range_list.h"
#include "tcache.h"
#include "preload/ground/sample.h"
#include "preload/ground/sys.h"
#include "preload/tables/thread.h"

#include <string.h>
#include <sys/auxv.h>

enum { OWN_SPARE = 64 /* areas that come in between counting and copying */ };

struct ledger_run {
    struct ledger ledger;
    struct residency residency;
    bool alone; /* the process has one thread */
    bool scanned, measured;

    struct thread_stack_list stacks;
    struct range_list earlier, ranges; /* as of before and after the scan */
    struct loader_pages loader;
    struct own_area *own;
    size_t own_count, own_room;
    struct line_table lines;
    bool glibc;
    struct tcache_list tcache;
    struct charge charge;
};

static void pages_free(void *pages, size_t bytes)
{
    if (pages)
        sys_pages_free(pages, bytes);
}

/* Copies of what is in address order. */

/* The other threads go on: those that begin take memory of ours, a thousand of them more than is spare. */
static bool copy_own(struct ledger_run *run)
{
    size_t wanted = own_copy(NULL, 0);
    do {
        pages_free(run->own, run->own_room * sizeof(*run->own));
        run->own_room = wanted + wanted / 4 + OWN_SPARE;
        run->own = sys_pages(run->own_room * sizeof(*run->own));
        if (!run->own)
            return false;
        wanted = own_copy(run->own, run->own_room);
    } while (wanted > run->own_room);
    run->own_count = wanted;
    return true;
}

static bool make_sites(struct ledger_run *run, const struct box_view *view)
{
    run->charge.site_count = view->tables[BOX_SITES].count;
    run->charge.sites =
        sys_pages_present((run->charge.site_count + 1) * sizeof(*run->charge.sites));
    return run->charge.sites != NULL;
}

/* Opening and closing. */

struct ledger_run *ledger_open(uint32_t threads)
{
    struct ledger_run *run = sys_pages(sizeof(*run));
    if (!run)
        return NULL;
    run->alone = threads == 1;
    if (range_list_open(&run->earlier) && range_list_open(&run->ranges) &&
        residency_open(&run->residency, run->alone)) {
        thread_stack_gather(&run->stacks, threads);
        range_list_copy(&run->earlier);
        return run;
    }
    ledger_close(run);
    return NULL;
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
    pages_free(run->charge.sites, (run->charge.site_count + 1) * sizeof(*run->charge.sites));
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

void ledger_list(struct ledger_run *run)
{
    range_list_copy(&run->ranges);
}

/* What has changed since the scan is code and stack that it has met for the first time. */
static void scan_again(struct ledger_run *run)
{
    while (!ledger_scan(run))
        if (!ledger_enlarge(run)) {
            run->scanned = false;
            return;
        }
    if (run->scanned)
        residency_measure(&run->residency);
}

void ledger_measure(struct ledger_run *run)
{
    const struct residency *residency = &run->residency;
    if (run->scanned)
        residency_measure(&run->residency);
    if (run->scanned && run->alone && residency->figures.summed &&
        residency->figures.rss_bytes != residency->resident_bytes)
        scan_again(run);
    run->measured = run->scanned;
}

void ledger_stood_still(struct ledger_run *run)
{
    run->ledger.stopped = true;
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
    struct charge *charge = &run->charge;
    charge->lines = &run->lines;
    charge->trim.cached = run->tcache.chunks;
    charge->trim.cached_count = run->tcache.count;
    charge_begin(charge, &sources);
    for (struct residency_cursor at = {0}; residency_next(&run->residency, &at, &region);)
        charge_region(charge, &region);
    charge_end(charge);
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
    uint64_t estimate = 0, left_bytes = run->charge.blurred_bytes;
    if (sample.period_bytes == 0)
        return;
    for (uint64_t i = 0; i < run->charge.site_count; i++)
        estimate += is_estimate(view, i) ? run->charge.sites[i].live_bytes : 0;
    double part = estimate > left_bytes ? (double)left_bytes / (double)estimate : 1;
    for (uint64_t i = 0; i < run->charge.site_count; i++) {
        if (!is_estimate(view, i))
            continue;
        uint64_t bytes = (uint64_t)((double)run->charge.sites[i].live_bytes * part);
        bytes = bytes < left_bytes ? bytes : left_bytes;
        run->charge.sites[i].live_bytes = bytes;
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
    uint64_t bytes = site_bytes(&run->charge.sites[0]);
    if (bytes > 0)
        line_add(&run->lines, line_find(&run->lines, LINE_METADATA, LEDGER_NOT_TOLD_APART), bytes);
    memset(&run->charge.sites[0], 0, sizeof(run->charge.sites[0]));
}

static void add_up(struct ledger_run *run)
{
    struct ledger *ledger = &run->ledger;
    uint64_t idle_bytes = 0;
    for (uint64_t i = 0; i < run->charge.site_count; i++) {
        ledger->sum_bytes += site_bytes(&run->charge.sites[i]);
        idle_bytes += run->charge.sites[i].idle_bytes;
    }
    for (size_t i = 0; i < ledger->line_count; i++)
        ledger->sum_bytes += ledger->lines[i].bytes;
    ledger->source = run->residency.source;
    ledger->rss_bytes =
        run->residency.figures.known ? run->residency.figures.rss_bytes : ledger->sum_bytes;
    ledger->sites = run->charge.sites;
    ledger->site_count = run->charge.site_count;
    if (sample.period_bytes != 0)
        return;
    if (run->glibc) {
        ledger->trim_bytes = run->charge.trim.bytes;
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
        beside_measure(&run->residency, &run->ledger);
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
