/*
 * render_rss.h - the ledger of any process, written: for a person or as JSON.
 *
 * Owns: nothing. Context: cli. Not here: what is in it (rss_look.h, rss_gap.h).
 */
#ifndef HEAPDIFF_CLI_RENDER_RSS_H
#define HEAPDIFF_CLI_RENDER_RSS_H

#include "number_text.h"
#include "page.h"
#include "rss_gap.h"
#include "cli/process/rss_look.h"

struct rss_report {
    const struct rss_look *look;
    const struct rss_gap *gap; /* NULL: no profile */
    const char *profile_path;
    struct number_style style; /* of bytes */
    bool mappings;             /* a row for each */
};

void render_rss(const struct page *page, const struct rss_report *report);

/* The schema is in heapdiff(1). */
void render_rss_json(FILE *out, const struct rss_report *report);

#endif
