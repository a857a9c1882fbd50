/*
 * ledger.h - the lines by which the resident memory of a process is explained.
 *
 * What it is: the categories that every resident byte falls into, what they are called in a profile, and
 *   the finished ledger of one moment: its lines and its sites add up to the kernel's RSS.
 * Owns: nothing; it is a layout and its names. The preload fills it in (preload/ledger), box_profile writes it
 *   as samples of resident_space, the command reads these back (cli/ledger).
 * Context: any.
 * Not here: which byte falls into which category.
 *
 * In a profile a line is a sample whose only value is resident_space. Its frames are synthetic, function names
 * without an address, and tell its category:
 *
 *   live       the site's own sample (with all its other values)         mem_kind malloc
 *   slack      the site's stack, and on top of it (a leaf) [slack]       mem_kind ledger
 *   pinned     the site's stack, and on top of it (a leaf) [pinned]      mem_kind ledger
 *   huge       the site's stack, and on top of it (a leaf) [huge page]   mem_kind ledger
 *   idle       the site's stack, and below it (the root) [allocator: idle]   mem_kind ledger
 *   mapped     the site's own sample                                     mem_kind mmap
 *   others     the category's root and a leaf below, such as
 *              [files] / [file: /usr/lib/libc.so.6 text], [stacks] / [stack: thread NAME]   mem_kind ledger
 */
#ifndef HEAPDIFF_FORMAT_LEDGER_H
#define HEAPDIFF_FORMAT_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ledger_category {
    LEDGER_LIVE,     /* by site: requested bytes of its live blocks */
    LEDGER_SLACK,    /* by site: what the allocator gave beyond what was asked for */
    LEDGER_PINNED,   /* by site: bytes of no block, on pages that its live blocks hold */
    LEDGER_HUGE,     /* by site: never used parts of huge pages that its live blocks hold */
    LEDGER_IDLE,     /* by site of what was freed there: pages that held blocks and hold none now */
    LEDGER_METADATA, /* the allocator's pages that never held a block */
    LEDGER_MAPPED,   /* by site: of the program's own mmap calls */
    LEDGER_FILE,     /* of files, by file: text, rodata, private dirty ... */
    LEDGER_STACK,    /* by thread */
    LEDGER_DATA,     /* bss of files, by file */
    LEDGER_KERNEL,   /* vdso and its like */
    LEDGER_OWN,      /* heapdiff itself */
    LEDGER_OTHER,    /* unattributed */
    LEDGER_CATEGORIES
};

/* The leaf frames of slack, pinned and huge, the root frames of the others; "" where a site's own sample says it. */
#define LEDGER_FRAMES                                                                           \
    {                                                                                           \
        "", "[slack]", "[pinned]", "[huge page]", "[allocator: idle]", "[allocator: metadata]", \
            "", "[files]", "[stacks]", "[data]", "[kernel]", "[heapdiff]", "[unattributed]",    \
    }

/* In a sampled run: heap pages whose blocks are not known are a line of metadata, by this leaf. */
#define LEDGER_NOT_TOLD_APART "[allocator: not told apart]"

/* Value of PPROF_LABEL_MEM_KIND for all that is no site's own sample. */
#define LEDGER_MEM_KIND       "ledger"

/* Where residency came from, best first; fact ledger_source by these names. */
enum ledger_source {
    LEDGER_NOT_MEASURED,
    LEDGER_PAGEMAP_SCAN, /* each page, by ioctl (Linux 6.7) */
    LEDGER_PAGEMAP,      /* each page, by /proc/self/pagemap */
    LEDGER_SMAPS,        /* each mapping's total: which of its pages is a guess */
    LEDGER_SOURCES
};
#define LEDGER_SOURCE_NAMES                        \
    {                                              \
        "none", "pagemap_scan", "pagemap", "smaps" \
    }

/* Resident bytes of one site. Of mmap sites all are in live_bytes. */
struct ledger_site {
    uint64_t live_bytes;
    uint64_t slack_bytes;
    uint64_t pinned_bytes;
    uint64_t huge_bytes;
    uint64_t idle_bytes;
};

/* Resident bytes of no site. Idle pages whose former owner is not known are one of these too. */
struct ledger_line {
    enum ledger_category category;
    /* The leaf frame: "[file: /usr/lib/libc.so.6 text]"; "": the root frame alone. */
    const char *name;
    uint64_t bytes;
};

struct ledger {
    enum ledger_source source;
    bool stopped;       /* all other threads stood still, not only their allocations */
    uint64_t rss_bytes; /* smaps_rollup's Rss, right after the scan */
    uint64_t sum_bytes; /* of all lines and sites; rss_bytes - sum_bytes is the drift */
    /* Beside the sum; 0: none, or not known. */
    uint64_t swap_bytes, page_table_bytes, hugetlb_bytes, pss_bytes, uss_bytes, lazy_free_bytes,
        huge_page_bytes, cgroup_bytes, cgroup_limit_bytes;
    uint64_t trim_bytes;  /* forecast: what malloc_trim(0) would return (glibc) */
    bool trim_is_limit;   /* at most: what threads keep in caches of their own is not known */
    uint64_t purge_bytes; /* forecast: what a purge would return at most (slab allocators) */
    const struct ledger_site *sites; /* by index of BOX_SITES */
    uint64_t site_count;
    const struct ledger_line *lines;
    size_t line_count;
};

#endif
