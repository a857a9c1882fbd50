/*
 * collection_json.h - collections and marks as JSON; the schema is in heapdiff(1).
 *
 * Owns: nothing. Context: cli. Not here: the rest of the report (render.h).
 */
#ifndef HEAPDIFF_CLI_COLLECTION_JSON_H
#define HEAPDIFF_CLI_COLLECTION_JSON_H

#include "collection.h"
#include "cli/ground/json.h"

/* Member "collections": sums, runtimes, the history, suspects (by `named`'s names, of the same samples). Nothing
   without a mark, a history or a runtime. */
void collection_json_book(struct json *json, const struct collection_book *book,
                          const struct profile *named);

/* Of one site: its ages, what it held at the last marks and at the peak. Nothing where it is not known. */
void collection_json_past(struct json *json, const struct collection_past *past);

/* All of it by itself. */
void collection_json(FILE *out, const char *path, const struct collection_book *book,
                     const struct profile *named);

#endif
