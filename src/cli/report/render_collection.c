#include "render_collection.h"

#include "filter.h"
#include "name_text.h"
#include "value.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    FIGURE_COLUMNS = 15,
    LABEL_COLUMNS = 16,
    TEXT_COLUMNS = 40,
    SUSPECTS_SHOWN = 10,
    CELL_BYTES = 160,
    STALE_INVERSE = 4 /* a picture that lacks a quarter of what is live is said to be stale */
};

static const char *as_of(const struct collection_book *book)
{
    return book->plain ? "mark" : "collection";
}

static void put_row(const struct page *page, const struct number_style *style, const char *label,
                    int64_t bytes, const char *note)
{
    page_put(page, PAINT_PLAIN, "  ");
    page_left(page, PAINT_PLAIN, label, LABEL_COLUMNS);
    page_right(page, PAINT_PLAIN, number_text(bytes, style).text, FIGURE_COLUMNS);
    page_format(page, PAINT_DIM, "%s%s\n", note[0] ? "   " : "", note);
}

static void put_last(const struct page *page, const struct collection_book *book)
{
    const struct collection *last = collection_last(book);
    page_format(page, PAINT_PLAIN, "\n  last %s ", as_of(book));
    if (book->age_ns > 0)
        page_format(page, PAINT_BOLD, "%s before this", number_duration(book->age_ns).text);
    page_format(page, PAINT_PLAIN, "%snumber %s", book->age_ns > 0 ? ", " : "",
                number_count(book->marks, false).text);
    if (last && last->source[0])
        page_format(page, PAINT_PLAIN, " (%s%s%s)",
                    name_plain_fitted(last->source, TEXT_COLUMNS).text, last->reason[0] ? ": " : "",
                    name_plain_fitted(last->reason, TEXT_COLUMNS).text);
    if (last && last->truth[0])
        page_format(page, PAINT_PLAIN, "; %s%s", name_plain_fitted(last->truth, TEXT_COLUMNS).text,
                    strcmp(last->truth, "totals") == 0 ? " only" : "");
    page_put(page, PAINT_PLAIN, "\n");
}

/* Who collects here, and whether we know of it. */
static void put_runtimes(const struct page *page, const struct collection_book *book)
{
    for (size_t i = 0; i < book->runtime_count; i++) {
        const struct collection_runtime *runtime = &book->runtimes[i];
        bool watched = strcmp(runtime->state, "watched") == 0;
        page_format(page, PAINT_PLAIN, "%s  runtime %s%s%s: ", i == 0 ? "\n" : "",
                    name_plain_fitted(runtime->name, TEXT_COLUMNS).text,
                    runtime->version[0] ? " " : "",
                    name_plain_fitted(runtime->version, TEXT_COLUMNS).text);
        page_put(page, watched ? PAINT_PLAIN : PAINT_WARNING,
                 name_plain_fitted(runtime->state, TEXT_COLUMNS).text);
        if (watched)
            page_format(page, PAINT_PLAIN, ", %s%s",
                        name_plain_fitted(runtime->truth, TEXT_COLUMNS).text,
                        strcmp(runtime->truth, "totals") == 0 ? " only" : "");
        else
            page_put(page, PAINT_WARNING, ": its collections are not noticed");
        page_put(page, PAINT_PLAIN, "\n");
    }
}

void render_collection_head(const struct page *page, const struct collection_book *book,
                            const struct number_style *style)
{
    put_runtimes(page, book);
    if (book->marks == 0)
        return;
    put_last(page, book);
    put_row(page, style, "live then", book->then_bytes, "");
    put_row(page, style, "+ since", book->since_bytes, "allocated");
    put_row(page, style, "- freed", book->freed_bytes, "");
    put_row(page, style, "= live now", book->live_bytes, "");
    if (book->aged)
        put_row(page, style, "  of then", book->survived_bytes,
                book->plain ? "as of the mark: nothing was proved unreachable"
                            : "survived the collection");
}

/* The function that asked: not what allocates for others, unless there is nobody else. */
static const char *asker_name(const struct profile *profile, const struct filter *filter,
                              const struct sample *sample)
{
    const char *leaf = NULL;
    for (size_t i = 0; i < sample->depth; i++) {
        const struct location *location = &profile->locations[sample->locations[i]];
        for (size_t k = 0; k < location->line_count; k++) {
            int function = location->lines[k].function;
            if (function == PROFILE_NONE)
                continue;
            if (!filter_skips(filter, function))
                return profile->functions[function].name;
            leaf = leaf ? leaf : profile->functions[function].name;
        }
    }
    return leaf ? leaf : "(no name)";
}

static void put_suspect(const struct page *page, const struct collection_suspect *suspect,
                        const char *name, const struct number_style *style)
{
    page_right(page, PAINT_GROWN, number_text(suspect->live_bytes, style).text, FIGURE_COLUMNS);
    page_format(page, PAINT_PLAIN, "  %s old, %s in %d intervals  ",
                number_text(suspect->old_bytes, style).text,
                number_text_signed(suspect->grown_bytes, style).text, BOX_HISTORY_MARKS - 1);
    page_format(page, PAINT_BOLD, "%s\n", name_text_fitted(name, TEXT_COLUMNS).text);
}

void render_collection_suspects(const struct page *page, const struct collection_book *book,
                                const struct profile *profile, const struct number_style *style)
{
    if (book->suspect_count == 0)
        return;
    page_format(page, PAINT_WARNING,
                "\nleak suspects: grew between at least 5 of the last 8 %ss, and hold what is 8 or "
                "more of them old\n",
                as_of(book));
    char *message = NULL;
    struct filter *filter = filter_new(&(struct filter_options){0}, &message);
    assert(filter != NULL); /* the lists of known functions alone */
    filter_mark(filter, profile);
    for (size_t i = 0; i < book->suspect_count && i < SUSPECTS_SHOWN; i++) {
        const struct collection_suspect *suspect = &book->suspects[i];
        if (suspect->sample >= profile->sample_count)
            continue;
        const struct sample *sample = &profile->samples[suspect->sample];
        put_suspect(page, suspect, asker_name(profile, filter, sample), style);
    }
    filter_free(filter);
    if (book->suspect_count > SUSPECTS_SHOWN)
        page_format(page, PAINT_DIM, "  ... and %zu more\n", book->suspect_count - SUSPECTS_SHOWN);
}

/* "12.0 -> 4.5 -> 6.1 MiB": what is not known, now below zero, is "?". */
static void heap_cell(char cell[CELL_BYTES], const struct collection *item, int64_t now_bytes,
                      const struct number_style *style)
{
    struct number_text before = {"?"}, after = {"?"}, now = {"?"};
    if (item->before_bytes > 0)
        before = number_text(item->before_bytes, style);
    if (item->has_after)
        after = number_text(item->after_bytes, style);
    if (now_bytes >= 0)
        now = number_text(now_bytes, style);
    snprintf(cell, CELL_BYTES, "%s -> %s -> %s", before.text, after.text, now.text);
}

static void put_pause(const struct page *page, int64_t pause_ns)
{
    char cell[CELL_BYTES] = "-";
    if (pause_ns > 0)
        snprintf(cell, sizeof cell, "%.3f ms", (double)pause_ns / 1e6);
    page_right(page, PAINT_PLAIN, cell, FIGURE_COLUMNS - 3);
}

static void put_known(const struct page *page, int64_t bytes, const struct number_style *style)
{
    page_right(page, PAINT_PLAIN, bytes > 0 ? number_text(bytes, style).text : "-",
               FIGURE_COLUMNS - 3);
}

static void put_collection(const struct page *page, const struct collection *item, int64_t start_ns,
                           int64_t now_bytes, const struct number_style *style)
{
    char cell[CELL_BYTES];
    snprintf(cell, sizeof cell, "%lld", (long long)item->number);
    page_right(page, PAINT_DIM, cell, 6);
    if (start_ns > 0 && item->time_ns >= start_ns)
        snprintf(cell, sizeof cell, "@%.3fs", (double)(item->time_ns - start_ns) / 1e9);
    else
        snprintf(cell, sizeof cell, "-");
    page_right(page, PAINT_PLAIN, cell, 12);
    snprintf(cell, sizeof cell, "  %.60s%s", name_plain_fitted(item->source, 12).text,
             item->is_full ? "" : " minor");
    page_left(page, PAINT_PLAIN, cell, 16);
    heap_cell(cell, item, now_bytes, style);
    page_left(page, PAINT_PLAIN, cell, 34);
    put_pause(page, item->pause_ns);
    put_known(page, item->rss_bytes, style);
    put_known(page, item->goal_bytes, style);
    page_format(page, PAINT_DIM, "  %s\n", name_plain_fitted(item->reason, TEXT_COLUMNS).text);
}

/* One sentence, where the figures carry one. */
static void put_verdict(const struct page *page, const struct collection_book *book,
                        const struct number_style *style)
{
    char text[512];
    int64_t old_bytes = 0;
    for (size_t i = 0; i < book->suspect_count; i++)
        old_bytes = value_sum(old_bytes, book->suspects[i].old_bytes);
    int64_t missed = value_difference(book->since_bytes, book->freed_bytes);
    if (book->suspect_count > 0)
        snprintf(text, sizeof text,
                 "%zu site%s grew from %s to %s and hold%s %s that is 8 or more of them old: a "
                 "leak, or a cache without a bound.",
                 book->suspect_count, book->suspect_count == 1 ? "" : "s", as_of(book), as_of(book),
                 book->suspect_count == 1 ? "s" : "", number_text(old_bytes, style).text);
    else if (missed > 0 && missed > book->live_bytes / STALE_INVERSE)
        snprintf(
            text, sizeof text,
            "A profile as of the last %s lacks %s of the %s that are live now: it is too old to "
            "explain the memory in use.",
            as_of(book), number_text(missed, style).text,
            number_text(book->live_bytes, style).text);
    else
        return;
    page_put(page, PAINT_PLAIN, "\n");
    page_wrapped(page, PAINT_BOLD, text, 2);
}

void render_collection_history(const struct page *page, const struct collection_book *book,
                               const struct profile *profile, const struct number_style *style)
{
    int64_t start_ns = profile_fact_number(profile, "start_time_ns", 0);
    page_right(page, PAINT_DIM, "number", 6);
    page_right(page, PAINT_DIM, "time", 12);
    page_left(page, PAINT_DIM, "  by", 16);
    page_left(page, PAINT_DIM, "before -> after -> now", 34);
    page_right(page, PAINT_DIM, "pause", FIGURE_COLUMNS - 3);
    page_right(page, PAINT_DIM, "RSS", FIGURE_COLUMNS - 3);
    page_right(page, PAINT_DIM, "goal", FIGURE_COLUMNS - 3);
    page_put(page, PAINT_DIM, "  reason\n");
    int64_t now_bytes = book->marks > 0 ? book->live_bytes : -1;
    for (size_t i = 0; i < book->count; i++)
        put_collection(page, &book->items[i], start_ns, now_bytes, style);
    render_collection_head(page, book, style);
    render_collection_suspects(page, book, profile, style);
    put_verdict(page, book, style);
}
