#include "render_collection.h"

#include "cli/ground/memory.h"
#include "cli/ground/name_text.h"
#include "cli/ground/value.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIGURE_COLUMNS = 15,
    LABEL_COLUMNS = 16,
    TEXT_COLUMNS = 40,
    NAME_COLUMNS = 36,
    SUSPECTS_SHOWN = 10,
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

/* " (python: after 8 minor); totals only" */
static char *cause_text(const struct collection *last)
{
    bool totals = strcmp(last->truth, "totals") == 0;
    return memory_format("%s%s%s%s%s%s%s%s", last->source[0] ? " (" : "",
                         name_plain_fitted(last->source, TEXT_COLUMNS).text,
                         last->source[0] && last->reason[0] ? ": " : "",
                         last->source[0] ? name_plain_fitted(last->reason, TEXT_COLUMNS).text : "",
                         last->source[0] ? ")" : "", last->truth[0] ? "; " : "",
                         name_plain_fitted(last->truth, TEXT_COLUMNS).text, totals ? " only" : "");
}

static void put_last(const struct page *page, const struct collection_book *book, const char *side)
{
    const struct collection *last = collection_last(book);
    if (book->marks == 0) {
        page_format(page, PAINT_PLAIN, "  %sno collection before this\n", side);
        return;
    }
    char *cause = last ? cause_text(last) : memory_format("%s", "");
    bool aged = book->age_ns > 0;
    char *text =
        memory_format("%slast %s %s%snumber %s%s", side, as_of(book),
                      aged ? number_duration(book->age_ns).text : "", aged ? " before this, " : "",
                      number_count(last ? last->number : book->marks, false).text, cause);
    page_wrapped(page, PAINT_PLAIN, text, 2);
    free(cause);
    free(text);
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

void render_collection_sides(const struct page *page, const struct collection_book *base,
                             const struct collection_book *fresh)
{
    put_runtimes(page, fresh);
    if (base->marks == 0 && fresh->marks == 0)
        return;
    page_put(page, PAINT_PLAIN, "\n");
    put_last(page, base, "old: ");
    put_last(page, fresh, "new: ");
}

void render_collection_head(const struct page *page, const struct collection_book *book,
                            const struct number_style *style)
{
    put_runtimes(page, book);
    if (book->marks == 0)
        return;
    page_put(page, PAINT_PLAIN, "\n");
    put_last(page, book, "");
    put_row(page, style, "live then", book->then_bytes, "");
    put_row(page, style, "+ since", book->since_bytes, "allocated");
    put_row(page, style, "- freed", book->freed_bytes, "");
    put_row(page, style, "= live now", book->live_bytes, "");
    if (book->aged)
        put_row(page, style, "  of then", book->survived_bytes,
                book->plain ? "as of the mark: nothing was proved unreachable"
                            : "survived the collection");
}

struct filter *collection_filter(const struct profile *profile)
{
    char *message = NULL;
    struct filter *filter = filter_new(&(struct filter_options){0}, &message);
    assert(filter != NULL); /* the lists of known functions alone */
    filter_mark(filter, profile);
    return filter;
}

const char *collection_asker(const struct profile *profile, const struct filter *filter,
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
    page_format(page, PAINT_PLAIN, "  %s old, %s, grew in %u of %d  ",
                number_text(suspect->old_bytes, style).text,
                number_text_signed(suspect->grown_bytes, style).text, suspect->growths,
                COLLECTION_INTERVALS);
    page_format(page, PAINT_BOLD, "%s\n", name_text_fitted(name, NAME_COLUMNS).text);
}

void render_collection_suspects(const struct page *page, const struct collection_book *book,
                                const struct profile *profile, const struct number_style *style)
{
    if (book->suspect_count == 0)
        return;
    page_format(page, PAINT_WARNING,
                "\nleak suspects: grew in 5 to 7 of the last 7 intervals, and hold what is 8 or "
                "more %ss old\n",
                as_of(book));
    struct filter *filter = collection_filter(profile);
    for (size_t i = 0; i < book->suspect_count && i < SUSPECTS_SHOWN; i++) {
        const struct collection_suspect *suspect = &book->suspects[i];
        if (suspect->sample >= profile->sample_count)
            continue;
        const struct sample *sample = &profile->samples[suspect->sample];
        put_suspect(page, suspect, collection_asker(profile, filter, sample), style);
    }
    filter_free(filter);
    if (book->suspect_count > SUSPECTS_SHOWN)
        page_format(page, PAINT_DIM, "  ... and %zu more\n", book->suspect_count - SUSPECTS_SHOWN);
}

/* How many grew on the whole, too, and what they hold that is old. */
static size_t grown_suspects(const struct collection_book *book, int64_t *old_bytes)
{
    size_t count = 0;
    *old_bytes = 0;
    for (size_t i = 0; i < book->suspect_count; i++) {
        if (book->suspects[i].grown_bytes <= 0)
            continue;
        *old_bytes = value_sum(*old_bytes, book->suspects[i].old_bytes);
        count++;
    }
    return count;
}

char *collection_verdict(const struct collection_book *book, const struct number_style *style)
{
    int64_t old_bytes;
    size_t grown = grown_suspects(book, &old_bytes);
    int64_t missed = value_difference(book->since_bytes, book->freed_bytes);
    if (grown > 0)
        return memory_format(
            "%zu site%s grew from %s to %s and hold%s %s that is 8 or more of them old: a leak, or "
            "a cache without a bound.",
            grown, grown == 1 ? "" : "s", as_of(book), as_of(book), grown == 1 ? "s" : "",
            number_text(old_bytes, style).text);
    if (book->marks > 0 && missed > 0 && missed > book->live_bytes / STALE_INVERSE)
        return memory_format(
            "A profile as of the last %s lacks %s of the %s that are live now: it is too old to "
            "explain the memory in use.",
            as_of(book), number_text(missed, style).text,
            number_text(book->live_bytes, style).text);
    return NULL;
}

void render_collection_verdict(const struct page *page, const struct collection_book *book,
                               const struct number_style *style)
{
    char *text = collection_verdict(book, style);
    if (!text)
        return;
    page_put(page, PAINT_PLAIN, "\n");
    page_wrapped(page, PAINT_BOLD, text, 2);
    free(text);
}
