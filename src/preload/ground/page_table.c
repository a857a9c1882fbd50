#include "page_table.h"

#include "permit.h"
#include "sys.h"

#include <assert.h>
#include <errno.h>
#include <sys/auxv.h>

/* linux/fs.h, as of Linux 6.15: older headers have none of it. */
struct pm_scan_arg {
    uint64_t size, flags;
    uint64_t start, end;
    uint64_t walk_end; /* out: where it stopped */
    uint64_t vec, vec_len;
    uint64_t max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

struct page_region {
    uint64_t start, end, categories;
};

enum {
    PAGE_IS_FILE = 1 << 2,
    PAGE_IS_PRESENT = 1 << 3,
    PAGE_IS_SWAPPED = 1 << 4,
    PAGE_IS_PFNZERO = 1 << 5,
    PAGE_IS_HUGE = 1 << 6,
    PAGE_IS_GUARD = 1 << 8, /* Linux 6.15 */
    REGIONS = 512, /* what the kernel hands over at once; never 0, which old kernels die of */
    ENTRIES = PAGE_TABLE_BUFFER_BYTES / sizeof(uint64_t)
};
static_assert(sizeof(struct pm_scan_arg) == 96, "the size is part of the ioctl's number");
static_assert(REGIONS * sizeof(struct page_region) <= PAGE_TABLE_BUFFER_BYTES, "one buffer");

#define PAGEMAP_SCAN    0xc0606610l

/* Bits of an entry of /proc/self/pagemap. */
#define ENTRY_EXCLUSIVE (1ull << 56)
#define ENTRY_GUARD     (1ull << 58)
#define ENTRY_FILE      (1ull << 61)
#define ENTRY_SWAPPED   (1ull << 62)
#define ENTRY_PRESENT   (1ull << 63)

static long scan_once(const struct page_table *table, struct pm_scan_arg *arg)
{
    arg->size = sizeof(*arg);
    arg->vec = (uint64_t)table->buffer;
    arg->vec_len = REGIONS;
    /* Those to be left out are inverted: each of them must be absent. */
    arg->category_inverted = arg->category_mask = table->left_out;
    arg->category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED;
    arg->return_mask = PAGE_IS_PRESENT | PAGE_IS_HUGE | (table->no_files ? 0 : PAGE_IS_FILE);
    long count;
    do
        count = sys_call3(SYS_ioctl, table->file.fd, PAGEMAP_SCAN, (long)arg);
    while (count == -EINTR);
    return count;
}

/* Whether the kernel has the ioctl; finds out what it can leave out. */
static bool scan_works(struct page_table *table)
{
    static const uint64_t tries[] = {PAGE_IS_PFNZERO | PAGE_IS_GUARD, PAGE_IS_PFNZERO};
    for (unsigned i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        struct pm_scan_arg arg = {.start = (uint64_t)table->buffer & -table->page_bytes};
        arg.end = arg.start + table->page_bytes;
        table->left_out = tries[i];
        if (!sys_failed(scan_once(table, &arg)))
            return true;
    }
    return false;
}

bool page_table_open(struct page_table *table, enum ledger_source best, void *buffer)
{
    *table = (struct page_table){.buffer = buffer, .page_bytes = getauxval(AT_PAGESZ)};
    if (best > LEDGER_PAGEMAP || !permit_has(PERMIT_PAGEMAP) ||
        !proc_open(&table->file, "/proc/self/pagemap"))
        return false;
    table->source = LEDGER_PAGEMAP;
    if (best == LEDGER_PAGEMAP_SCAN && scan_works(table))
        table->source = LEDGER_PAGEMAP_SCAN;
    return true;
}

static struct page_stretch region_stretch(const struct page_region *region, uint64_t from)
{
    return (struct page_stretch){.start = region->start > from ? region->start : from,
                                 .end = region->end,
                                 .kind = region->categories & PAGE_IS_PRESENT ? PAGE_RESIDENT
                                                                              : PAGE_AWAY,
                                 .huge = region->categories & PAGE_IS_HUGE,
                                 .file = region->categories & PAGE_IS_FILE};
}

static bool walk_regions(const struct page_table *table, uint64_t start, uint64_t end,
                         page_visit visit, void *context)
{
    const struct page_region *regions = table->buffer;
    uint64_t last = start;
    struct pm_scan_arg arg = {.end = end};
    for (; start < end; start = arg.walk_end) {
        arg.start = start;
        long count = scan_once(table, &arg);
        if (sys_failed(count) || arg.walk_end <= start)
            return false;
        for (long i = 0; i < count; i++) {
            /* A full vec may have one region twice. */
            struct page_stretch stretch = region_stretch(&regions[i], last);
            if (stretch.start >= stretch.end)
                continue;
            if (!visit(&stretch, context))
                return true;
            last = stretch.end;
        }
    }
    return true;
}

/*
 * A page of a file or of anonymous memory that no other process shares is resident. Without these two marks it
 * may be the zero page just as well as one that is shared since a fork, or by KSM.
 */
static bool entry_stretch(uint64_t entry, struct page_stretch *stretch)
{
    stretch->file = entry & ENTRY_FILE;
    if (entry & ENTRY_GUARD)
        return false;
    if (entry & ENTRY_PRESENT)
        stretch->kind = entry & (ENTRY_FILE | ENTRY_EXCLUSIVE) ? PAGE_RESIDENT : PAGE_PERHAPS;
    else
        stretch->kind = PAGE_AWAY;
    return entry & (ENTRY_PRESENT | ENTRY_SWAPPED);
}

static bool same_stretch(const struct page_stretch *one, const struct page_stretch *two)
{
    return one->end == two->start && one->kind == two->kind && one->file == two->file;
}

/* Visits what the `count` entries from address `start` on tell. */
static bool visit_entries(const struct page_table *table, uint64_t start, uint64_t count,
                          page_visit visit, void *context)
{
    const uint64_t *entries = table->buffer;
    struct page_stretch run = {0};
    for (uint64_t i = 0; i < count; i++) {
        uint64_t address = start + i * table->page_bytes;
        struct page_stretch next = {.start = address, .end = address + table->page_bytes};
        if (entries[i] == 0 || !entry_stretch(entries[i], &next))
            continue;
        if (same_stretch(&run, &next)) {
            run.end = next.end;
            continue;
        }
        if (run.end > 0 && !visit(&run, context))
            return false;
        run = next;
    }
    return run.end == 0 || visit(&run, context);
}

static bool walk_entries(const struct page_table *table, uint64_t start, uint64_t end,
                         page_visit visit, void *context)
{
    while (start < end) {
        uint64_t wanted = (end - start) / table->page_bytes;
        uint64_t bytes = (wanted < ENTRIES ? wanted : ENTRIES) * sizeof(uint64_t);
        long got = sys_call4(SYS_pread64, table->file.fd, (long)table->buffer, (long)bytes,
                             (long)(start / table->page_bytes * sizeof(uint64_t)));
        if (got == -EINTR)
            continue;
        if (got <= 0 || got % (long)sizeof(uint64_t) != 0)
            return false;
        uint64_t count = (uint64_t)got / sizeof(uint64_t);
        if (!visit_entries(table, start, count, visit, context))
            return true;
        start += count * table->page_bytes;
    }
    return true;
}

bool page_table_walk(const struct page_table *table, uint64_t start, uint64_t end, page_visit visit,
                     void *context)
{
    return table->source == LEDGER_PAGEMAP_SCAN ? walk_regions(table, start, end, visit, context)
                                                : walk_entries(table, start, end, visit, context);
}

void page_table_close(struct page_table *table)
{
    proc_close(&table->file);
}
