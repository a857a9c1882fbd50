/*
 * render_figures.h - how much there is, in the head of a report: live bytes and where RSS is told of, RSS.
 *
 * What it is: a row for each figure, with old, new and change where there are two profiles.
 * Owns: nothing. Context: cli. Not here: the ledger of RSS (render_ledger.h).
 */
#ifndef HEAPDIFF_CLI_RENDER_FIGURES_H
#define HEAPDIFF_CLI_RENDER_FIGURES_H

#include "render.h"
#include "summary.h"

/* `base` is empty where the report has none. */
void render_figures(const struct page *page, const struct report *report,
                    const struct summary *base, const struct summary *fresh);

#endif
