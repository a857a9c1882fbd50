/*
 * render_collection.h - collections for a person.
 *
 * What it is: a few lines for the head of a report, suspects under its sites, and the history as a table.
 * Owns: nothing. Context: cli. Not here: reading (collection.h).
 */
#ifndef HEAPDIFF_CLI_RENDER_COLLECTION_H
#define HEAPDIFF_CLI_RENDER_COLLECTION_H

#include "collection.h"
#include "filter.h"
#include "number_text.h"
#include "page.h"

/* Of a comparison: how old the last one was on each side, and how much is known of it. */
void render_collection_sides(const struct page *page, const struct collection_book *base,
                             const struct collection_book *fresh);

/* How old the last one is, what is live now, was then, came and went since. Nothing without marks. */
void render_collection_head(const struct page *page, const struct collection_book *book,
                            const struct number_style *style);

/* The function that asked, as far as `profile` has names: not what allocates for others, unless there is
   nobody else. `filter` tells them apart; filter_free() it. */
struct filter *collection_filter(const struct profile *profile);
const char *collection_asker(const struct profile *profile, const struct filter *filter,
                             const struct sample *sample);

/* `profile` has names. Nothing without suspects. */
void render_collection_suspects(const struct page *page, const struct collection_book *book,
                                const struct profile *profile, const struct number_style *style);

/* One sentence that the figures carry, malloc'd; NULL: they carry none. */
char *collection_verdict(const struct collection_book *book, const struct number_style *style);
void render_collection_verdict(const struct page *page, const struct collection_book *book,
                               const struct number_style *style);

/* All that are kept, and what follows from them, if anything does. */
void render_collection_history(const struct page *page, const struct collection_book *book,
                               const struct profile *profile, const struct number_style *style);

#endif
