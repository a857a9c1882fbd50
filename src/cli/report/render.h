/*
 * render.h - a report, written: for a person or as JSON.
 *
 * What it is: what all renderers are given, and the renderers.
 * Owns: nothing. Context: cli. Not here: loading and comparing (command/report.h), what is asked for (choice.h).
 */
#ifndef HEAPDIFF_CLI_RENDER_H
#define HEAPDIFF_CLI_RENDER_H

#include "choice.h"
#include "collection.h"
#include "ledger_sites.h"
#include "number_text.h"
#include "page.h"
#include "tree.h"
#include "cli/profile/diff.h"

struct report {
    const struct choice *choice;
    const struct profile *shown;             /* symbolized; the difference when there is a base */
    const struct profile *fresh;             /* as loaded */
    const struct profile *base;              /* as loaded; NULL: none */
    enum diff_match match;                   /* with a base */
    int type;                                /* of `shown` */
    const struct filter *filter;             /* marked with `shown` */
    const struct ledger_pair *ledger;        /* of RSS, as far as there is one */
    const struct collection_book *book;      /* of `fresh` */
    const struct collection_book *base_book; /* of `base` */
    const char *problem, *base_problem;      /* why the program has no names; NULL: it has */
};

/* Process, time, the ledger of RSS, live bytes; with a base the change of each; what was lost. */
void render_head(const struct page *page, const struct report *report);

/* The sites: value, share, the function that asked, its callers. */
void render_sites(const struct page *page, const struct report *report);

/* The tables of pprof's -top, -tree and -traces. */
void render_top(const struct page *page, const struct report *report);
void render_tree(const struct page *page, const struct report *report);
void render_traces(const struct page *page, const struct report *report);

/* All of it; the schema is in heapdiff(1). */
void render_json(FILE *out, const struct report *report);

/* Type and unit of what is shown, and the style of its numbers; that of bytes. */
const struct value_type *report_type(const struct report *report);
struct number_style report_style(const struct report *report);
struct number_style report_bytes_style(const struct report *report);

/* " +- 4.1 MiB", what the sum of a sampled profile may be off by, and whether a change of it is noise;
   "" for an exact one. */
struct interval_text {
    char text[2 * NUMBER_TEXT_BYTES];
};
struct interval_text report_interval(const struct report *report, int64_t value, double variance);

#endif
