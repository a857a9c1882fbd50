/*
 * ledger_detail.h - what a kind's row of the ledger is made of: its largest sites, files, threads.
 *
 * Owns: nothing; names are those of the book and of its sites. Context: cli. Not here: the rows
 *   (render_ledger.h).
 */
#ifndef HEAPDIFF_CLI_LEDGER_DETAIL_H
#define HEAPDIFF_CLI_LEDGER_DETAIL_H

#include "ledger_sites.h"
#include "cli/ground/name_text.h"

enum { LEDGER_DETAILS_MAX = 8 };

struct ledger_detail {
    const char *name;
    bool is_path;
    int64_t bytes;
};

/* The largest of a kind's sites (`sites` may be NULL) and of its other lines, largest first; returns how many. */
size_t ledger_details_of(const struct ledger_sites *sites, const struct ledger_change *changes,
                         size_t change_count, int kind,
                         struct ledger_detail details[LEDGER_DETAILS_MAX]);

/* As it stands in a row: of a path its end. */
struct name_text ledger_detail_name(const struct ledger_detail *detail);

#endif
