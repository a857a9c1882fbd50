#include "collection_json.h"

#include "render_collection.h"

#include <stdlib.h>

enum { SCHEMA = 1, LINES_DEPTH = 3 };

static void put_runtimes(struct json *json, const struct collection_book *book)
{
    json_open(json, "runtimes", '[');
    for (size_t i = 0; i < book->runtime_count; i++) {
        const struct collection_runtime *runtime = &book->runtimes[i];
        json_open(json, NULL, '{');
        json_text(json, "name", runtime->name);
        json_text_known(json, "version", runtime->version);
        json_text_known(json, "truth", runtime->truth);
        json_text(json, "state", runtime->state);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_item(struct json *json, const struct collection *item)
{
    json_open(json, NULL, '{');
    json_number(json, "number", item->number);
    json_number_known(json, "time_ns", item->time_ns);
    json_number_known(json, "mark", item->mark);
    json_text(json, "source", item->source);
    json_truth(json, "full", item->is_full);
    json_text_known(json, "truth", item->truth);
    json_text_known(json, "reason", item->reason);
    json_number_known(json, "before_bytes", item->before_bytes);
    if (item->has_after)
        json_number(json, "after_bytes", item->after_bytes);
    json_number_known(json, "pause_ns", item->pause_ns);
    json_number_known(json, "rss_before_bytes", item->rss_before_bytes);
    json_number_known(json, "rss_bytes", item->rss_bytes);
    json_number_known(json, "goal_bytes", item->goal_bytes);
    json_close(json, '}');
}

static void put_suspect(struct json *json, const struct collection_suspect *suspect,
                        const char *function)
{
    json_open(json, NULL, '{');
    json_text(json, "function", function);
    json_number(json, "live_bytes", suspect->live_bytes);
    json_number(json, "old_bytes", suspect->old_bytes);
    json_number(json, "grown_bytes", suspect->grown_bytes);
    json_number(json, "growths", suspect->growths);
    json_close(json, '}');
}

static void put_suspects(struct json *json, const struct collection_book *book,
                         const struct profile *named)
{
    struct filter *filter = collection_filter(named);
    json_open(json, "suspects", '[');
    for (size_t i = 0; i < book->suspect_count; i++) {
        const struct collection_suspect *suspect = &book->suspects[i];
        if (suspect->sample < named->sample_count)
            put_suspect(json, suspect,
                        collection_asker(named, filter, &named->samples[suspect->sample]));
    }
    json_close(json, ']');
    filter_free(filter);
}

static void put_sums(struct json *json, const struct collection_book *book)
{
    const struct collection *last = collection_last(book);
    json_number(json, "marks", book->marks);
    json_number_known(json, "age_ns", book->age_ns);
    if (last)
        json_text_known(json, "truth", last->truth);
    json_truth(json, "reachability_known", !book->plain);
    json_number(json, "then_bytes", book->then_bytes);
    json_number(json, "since_bytes", book->since_bytes);
    json_number(json, "freed_bytes", book->freed_bytes);
    json_number(json, "now_bytes", book->live_bytes);
    if (book->aged)
        json_number(json, "survived_bytes", book->survived_bytes);
}

static void put_verdict(struct json *json, const struct collection_book *book)
{
    struct number_style style;
    number_style_choose(&style, "bytes", "auto");
    char *verdict = collection_verdict(book, &style);
    if (verdict)
        json_text(json, "verdict", verdict);
    free(verdict);
}

void collection_json_book(struct json *json, const struct collection_book *book,
                          const struct profile *named)
{
    if (book->marks == 0 && book->count == 0 && book->runtime_count == 0)
        return;
    json_open(json, "collections", '{');
    if (book->marks > 0)
        put_sums(json, book);
    put_runtimes(json, book);
    json_open(json, "history", '[');
    for (size_t i = 0; i < book->count; i++)
        put_item(json, &book->items[i]);
    json_close(json, ']');
    put_suspects(json, book, named);
    put_verdict(json, book);
    json_close(json, '}');
}

void collection_json_past(struct json *json, const struct collection_past *past)
{
    if (!past->known)
        return;
    json_open(json, "ages", '[');
    for (int i = 0; i < AGE_COHORTS; i++)
        json_number(json, NULL, past->ages[i]);
    json_close(json, ']');
    json_open(json, "at_marks", '[');
    for (unsigned i = 0; i < past->count; i++)
        json_number(json, NULL, past->marks[i]);
    json_close(json, ']');
    json_number(json, "at_peak_bytes", past->peak_bytes);
}

void collection_json(FILE *out, const char *path, const struct collection_book *book,
                     const struct profile *named)
{
    struct json json = {.out = out, .lines_depth = LINES_DEPTH, .empty = true};
    json_open(&json, NULL, '{');
    json_number(&json, "schema", SCHEMA);
    json_text(&json, "heapdiff", HEAPDIFF_VERSION);
    json_text(&json, "file", path);
    collection_json_book(&json, book, named);
    json_close(&json, '}');
}
