#include "ledger_json.h"

#include "cli/ground/value.h"
#include "format/pprof.h"

#include <stdlib.h>

static const struct ledger_book nothing;

static void put_kinds(struct json *json, const struct ledger_book *base,
                      const struct ledger_book *fresh)
{
    json_open(json, "kinds", '{');
    for (int kind = 0; kind < LEDGER_KINDS; kind++)
        if (fresh->kinds[kind] != 0 || base->kinds[kind] != 0)
            json_number(json, ledger_kind_key(kind),
                        value_difference(fresh->kinds[kind], base->kinds[kind]));
    json_close(json, '}');
}

/* Of all lines without a site the bytes, or with a base their change. */
static void put_lines(struct json *json, const struct ledger_book *base,
                      const struct ledger_book *fresh)
{
    size_t count;
    struct ledger_change *changes = ledger_changes(base, fresh, &count);
    json_open(json, "lines", '[');
    for (size_t i = 0; i < count; i++) {
        json_open(json, NULL, '{');
        json_text(json, "kind", ledger_kind_key(changes[i].kind));
        json_text(json, "name", changes[i].name);
        json_number(json, "bytes", value_difference(changes[i].fresh, changes[i].base));
        json_close(json, '}');
    }
    json_close(json, ']');
    free(changes);
}

void ledger_json_book(struct json *json, const struct ledger_book *book)
{
    if (!book->known)
        return;
    json_open(json, "ledger", '{');
    json_text(json, "source", ledger_source_key(book->source));
    json_truth(json, "stopped", book->stopped);
    json_truth(json, "sampled", book->sampled);
    json_number(json, "rss_bytes", book->rss_bytes);
    json_number(json, "sum_bytes", book->sum_bytes);
    json_number(json, "drift_bytes", book->drift_bytes);
    put_kinds(json, &nothing, book);
    put_lines(json, NULL, book);
    json_open(json, "beside", '{');
    for (int i = 0; i < LEDGER_BESIDES; i++)
        json_number_known(json, ledger_beside_key(i), book->beside[i]);
    if (book->trim_is_limit)
        json_truth(json, PPROF_FACT_TRIM_LIMIT, true);
    json_close(json, '}');
    json_close(json, '}');
}

static void put_change(struct json *json, const struct ledger_book *base,
                       const struct ledger_book *fresh)
{
    json_open(json, "ledger_change", '{');
    json_number(json, "rss_bytes", value_difference(fresh->rss_bytes, base->rss_bytes));
    json_number(json, "sum_bytes", value_difference(fresh->sum_bytes, base->sum_bytes));
    json_number(json, "drift_bytes", value_difference(fresh->drift_bytes, base->drift_bytes));
    put_kinds(json, base, fresh);
    put_lines(json, base, fresh);
    json_close(json, '}');
}

static void put_bytes(struct json *json, const char *key, const int64_t *bytes)
{
    json_open(json, key, '{');
    for (int kind = 0; kind < LEDGER_CATEGORIES; kind++)
        json_number_known(json, ledger_kind_key(kind), bytes[kind]);
    json_close(json, '}');
}

void ledger_json_pair(struct json *json, const struct ledger_pair *pair)
{
    if (!ledger_pair_known(pair))
        return;
    if (pair->compared)
        put_change(json, &pair->base, &pair->fresh);
    json_open(json, "ledger_sites", '[');
    for (size_t i = 0; i < pair->sites.count; i++) {
        const struct ledger_holder *holder = &pair->sites.holders[i];
        json_open(json, NULL, '{');
        json_text(json, "function", holder->name);
        json_text(json, "file", holder->filename);
        put_bytes(json, "bytes", holder->bytes);
        if (pair->compared)
            put_bytes(json, "base", holder->base_bytes);
        json_number_known(json, "not_resident_bytes", holder->absent_bytes);
        json_close(json, '}');
    }
    json_close(json, ']');
}
