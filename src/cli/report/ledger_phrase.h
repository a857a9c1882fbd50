/*
 * ledger_phrase.h - the ledger in a sentence: what RSS, or its change, is mostly made of.
 *
 * Owns: nothing. Context: cli. Not here: the table (render_ledger.h).
 */
#ifndef HEAPDIFF_CLI_LEDGER_PHRASE_H
#define HEAPDIFF_CLI_LEDGER_PHRASE_H

#include "render_ledger.h"

/* "RSS 352.0 MiB: 49.0 MiB live, 157.0 MiB pinned by 3 sites, 112.0 MiB idle that malloc_trim would return",
   control characters replaced; malloc'd. */
char *ledger_phrase(const struct ledger_view *view);

#endif
