/*
 * Fuzz target: a profile's bytes, decoded, and then everything that a report does with it. Symbols
 * are left out: they are read from files that a profile names, not from the profile.
 */
#include "cli/profile/profile.h"
#include "cli/profile/prune.h"
#include "cli/report/collection_json.h"
#include "cli/report/render.h"
#include "cli/report/render_collection.h"
#include "cli/symbol/symbol.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

void symbolize(struct profile *profile)
{
    (void)profile;
}

/* Views times granularities is more than one input should cost: the input chooses. */
static void choose(struct choice *choice, const uint8_t *bytes, size_t size_bytes)
{
    unsigned bits = size_bytes ? bytes[size_bytes - 1] : 0;
    *choice = (struct choice){.limit = -1, .profile_path = "new", .base_path = "old"};
    choice->granularity = (enum granularity)(bits % 5);
    choice->granularity_given = bits & 1;
    choice->by_cum = bits & 2;
    choice->relative = bits & 4;
    choice->normalize = bits & 8;
    if (bits & 16)
        choice->filter = (struct filter_options){"a|m", "zz", "b", false};
}

static void render_all(const struct report *report)
{
    static FILE *nowhere;
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    struct page page = {.out = nowhere, .columns = PAGE_COLUMNS, .unicode = true};
    render_head(&page, report);
    render_sites(&page, report);
    render_top(&page, report);
    render_tree(&page, report);
    render_traces(&page, report);
    render_json(nowhere, report);
    struct number_style style = {"bytes", NULL, 1};
    render_collection_history(&page, report->book, report->fresh, &style);
    collection_json(nowhere, "new", report->book, report->fresh);
}

static void report_on(const struct choice *choice, struct profile *shown, struct profile *fresh,
                      struct profile *base, enum diff_match match)
{
    char *message;
    profile_prune(shown);
    struct filter *filter = filter_new(&choice->filter, &message);
    struct ledger_pair ledger = ledger_pair_of(shown, fresh, base, &choice->filter);
    struct collection_book book = collection_book_of(fresh), base_book = {0};
    if (base)
        base_book = collection_book_of(base);
    struct report report = {.choice = choice,
                            .shown = shown,
                            .fresh = fresh,
                            .base = base,
                            .match = match,
                            .type = shown->default_type,
                            .filter = filter,
                            .ledger = &ledger,
                            .book = &book,
                            .base_book = &base_book,
                            .problem = shown->mapping_count ? "is not here" : NULL};
    filter_mark(filter, shown);
    render_all(&report);
    ledger_pair_clear(&ledger);
    collection_book_free(&book);
    collection_book_free(&base_book);
    filter_free(filter);
}

/* The input against itself, its last sample left out: sites are shared, and one is new. */
static void compare(const struct choice *choice, struct profile *fresh, const uint8_t *bytes,
                    size_t size_bytes)
{
    const char *reason;
    enum diff_match match = DIFF_MATCH_ADDRESS;
    struct diff_options how = {choice->relative, choice->normalize};
    struct profile *base = profile_decode(bytes, size_bytes, &reason);
    if (!base)
        abort(); /* the same bytes were a profile before */
    base->sample_count -= base->sample_count > 0;
    struct profile *diff = profile_diff(base, fresh, &how, &match, &reason);
    if (diff)
        report_on(choice, diff, fresh, base, match);
    profile_free(diff);
    profile_free(base);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    const char *reason = NULL;
    struct choice choice;
    struct profile *profile = profile_decode(bytes, size_bytes, &reason);
    if (!profile != !!reason)
        abort(); /* either a profile or a reason */
    if (!profile)
        return 0;
    choose(&choice, bytes, size_bytes);
    report_on(&choice, profile, profile, NULL, DIFF_MATCH_ADDRESS);
    compare(&choice, profile, bytes, size_bytes);
    profile_free(profile);
    return 0;
}
