/*
 * render_collection.h - collections for a person.
 *
 * What it is: a few lines for the head of a report, suspects under its sites, and the history as a table.
 * Owns: nothing. Context: cli. Not here: reading (collection.h).
 */
#ifndef HEAPDIFF_CLI_RENDER_COLLECTION_H
#define HEAPDIFF_CLI_RENDER_COLLECTION_H

#include "collection.h"
#include "number_text.h"
#include "page.h"

/* How old the last one is, what is live now, was then, came and went since. Nothing without marks. */
void render_collection_head(const struct page *page, const struct collection_book *book,
                            const struct number_style *style);

/* `profile` has names. Nothing without suspects. */
void render_collection_suspects(const struct page *page, const struct collection_book *book,
                                const struct profile *profile, const struct number_style *style);

/* All that are kept, and what follows from them, if anything does. */
void render_collection_history(const struct page *page, const struct collection_book *book,
                               const struct profile *profile, const struct number_style *style);

#endif
