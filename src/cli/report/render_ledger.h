/*
 * render_ledger.h - the ledger as a table: kinds with bars, largest first, the sum, what lies beside.
 *
 * What it is: one moment's, or the change between two, and the sentence that says what RSS is made of.
 *   Bars are of block characters where the locale has them.
 * Owns: nothing. Context: cli. Not here: what is in it (ledger.h), whose it is (ledger_site.h).
 */
#ifndef HEAPDIFF_CLI_RENDER_LEDGER_H
#define HEAPDIFF_CLI_RENDER_LEDGER_H

#include "ledger_sites.h"
#include "number_text.h"
#include "page.h"

/* What is shown. Both books are known and finished. */
struct ledger_view {
    const struct ledger_book *base; /* NULL: one moment */
    const struct ledger_book *fresh;
    const struct ledger_sites *sites; /* who holds what; NULL: nobody knows */
    struct number_style style;        /* of bytes */
};

/* "RSS 352.0 MiB: 49.0 MiB live, 157.0 MiB pinned by 3 sites, ..."; one line, or more where the page is
   narrow. */
void render_ledger_sentence(const struct page *page, const struct ledger_view *view);

/* The table, its sum, drift where there is one. */
void render_ledger_table(const struct page *page, const struct ledger_view *view);

/* What is no part of the sum; what allocators would give back; how it was measured. */
void render_ledger_notes(const struct page *page, const struct ledger_view *view);

/* All three, each set off by an empty line. */
void render_ledger(const struct page *page, const struct ledger_view *view);

/* Of a report: all of the above, or the sentence alone; why there is none though one side has a ledger. */
void render_ledger_pair(const struct page *page, const struct ledger_pair *pair,
                        struct number_style style, bool whole);

#endif
