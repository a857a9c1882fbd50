/*
 * page_table.h - what the kernel's page tables have for a piece of the address space.
 *
 * What it is: the PAGEMAP_SCAN ioctl (Linux 6.7) or the entries of /proc/self/pagemap, as runs of pages of a kind.
 * Owns: the open file. Context: anywhere; changes no memory but the caller's buffer.
 * Not here: how the unsure ones are decided (residency.c).
 */
#ifndef HEAPDIFF_PRELOAD_PAGE_TABLE_H
#define HEAPDIFF_PRELOAD_PAGE_TABLE_H

#include "proc.h"
#include "format/ledger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum page_kind {
    PAGE_RESIDENT,
    PAGE_PERHAPS, /* present, and either resident or the zero page: pagemap does not say */
    PAGE_AWAY, /* swapped out, or just being moved (then it is RSS), or a guard page on Linux 6.13 and 6.14 */
    PAGE_KINDS
};

struct page_stretch {
    uint64_t start, end; /* addresses */
    enum page_kind kind;
    bool huge; /* PAGEMAP_SCAN only */
    bool file; /* the page is a file's or shared memory's */
};

/* False: enough, the walk ends. */
typedef bool (*page_visit)(const struct page_stretch *stretch, void *context);

enum { PAGE_TABLE_BUFFER_BYTES = 32 << 10 };

struct page_table {
    struct proc_file file;
    enum ledger_source source; /* LEDGER_PAGEMAP_SCAN or LEDGER_PAGEMAP */
    uint64_t left_out;         /* PAGE_IS_*: what this kernel can tell from resident pages */
    uint64_t page_bytes;
    /* PAGEMAP_SCAN is not asked what is a file's: it need not look at each page itself. */
    bool no_files;
    void *buffer; /* PAGE_TABLE_BUFFER_BYTES, aligned to 8 */
};

/* By no better source than `best`. False: none of the two, there is nothing to close. */
bool page_table_open(struct page_table *table, enum ledger_source best, void *buffer);

/* Present and swapped pages in [start, end), by address. False: the kernel gave an error. */
bool page_table_walk(const struct page_table *table, uint64_t start, uint64_t end, page_visit visit,
                     void *context);

void page_table_close(struct page_table *table);

#endif
