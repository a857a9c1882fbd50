/*
 * ledger_json.h - the ledger as JSON; the schema is in heapdiff(1).
 *
 * Owns: nothing. Context: cli. Not here: the rest of the report (render.h).
 */
#ifndef HEAPDIFF_CLI_LEDGER_JSON_H
#define HEAPDIFF_CLI_LEDGER_JSON_H

#include "ledger_sites.h"
#include "cli/ground/json.h"

/* Member "ledger" of one moment: sums, kinds, lines, what lies beside. Nothing when it is not known. */
void ledger_json_book(struct json *json, const struct ledger_book *book);

/* Members "ledger_change", with a base, and "ledger_sites". Nothing when a side has no ledger. */
void ledger_json_pair(struct json *json, const struct ledger_pair *pair);

#endif
