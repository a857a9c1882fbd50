#include "render_ledger.h"

#include "ledger_phrase.h"
#include "cli/ground/memory.h"
#include "cli/ground/name_text.h"
#include "cli/ground/value.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    NOTE_HOLDERS = 5,
    NOTE_LEAST_INVERSE = 50, /* what is below a 50th of RSS has no note */
    NOTE_NAME_COLUMNS = 40
};

static const struct ledger_book nothing;

static const struct ledger_book *base_of(const struct ledger_view *view)
{
    return view->base ? view->base : &nothing;
}

static struct number_text amount(const struct ledger_view *view, int64_t bytes)
{
    return view->base ? number_text_signed(bytes, &view->style) : number_text(bytes, &view->style);
}

void render_ledger_sentence(const struct page *page, const struct ledger_view *view)
{
    char *sentence = ledger_phrase(view);
    page_wrapped(page, PAINT_BOLD, sentence, 2);
    free(sentence);
}

static int64_t whole_of(const struct ledger_view *view, int kind)
{
    if (kind == LEDGER_CATEGORIES)
        return view->sites->absent_bytes;
    return value_magnitude(value_difference(view->fresh->kinds[kind], base_of(view)->kinds[kind]));
}

/* "LEAD: parse_request 100.0 MiB, cache_put 50.0 MiB and 12 more", when that is worth a line. */
static void put_holders(const struct page *page, const struct ledger_view *view, int kind,
                        const char *lead)
{
    const struct ledger_holder *top[NOTE_HOLDERS];
    char *text = NULL;
    size_t size_bytes;
    size_t count = ledger_sites_top(view->sites, kind, top, NOTE_HOLDERS);
    if (count == 0 || whole_of(view, kind) < view->fresh->rss_bytes / NOTE_LEAST_INVERSE)
        return;
    FILE *out = open_memstream(&text, &size_bytes);
    if (!out)
        return;
    fprintf(out, "%s", lead);
    for (size_t i = 0; i < count && i < NOTE_HOLDERS; i++) {
        fprintf(out, "%s %s %s", i ? "," : "",
                name_text_fitted(ledger_holder_name(top[i]), NOTE_NAME_COLUMNS).text,
                amount(view, ledger_holder_bytes(top[i], kind)).text);
    }
    if (count > NOTE_HOLDERS)
        fprintf(out, " and %zu more", count - NOTE_HOLDERS);
    fclose(out);
    page_wrapped(page, PAINT_PLAIN, text, 2);
    free(text);
}

static void put_site_notes(const struct page *page, const struct ledger_view *view)
{
    char lead[128];
    if (!view->sites)
        return;
    put_holders(page, view, LEDGER_PINNED,
                view->base ? "pinned, by site:"
                           : "pinned: nothing but freeing what these sites hold returns it:");
    put_holders(page, view, LEDGER_HUGE, "huge pages held by little that lives on them:");
    put_holders(page, view, LEDGER_IDLE, "idle, by who asked for what was freed there last:");
    snprintf(lead, sizeof lead, "live but not resident (never written, or swapped out) %s:",
             number_text(view->sites->absent_bytes, &view->style).text);
    put_holders(page, view, LEDGER_CATEGORIES, lead);
}

/* Forecasts are of the new moment. */
static void put_forecasts(const struct page *page, const struct ledger_view *view)
{
    const int64_t *beside = view->fresh->beside;
    if (beside[LEDGER_TRIM] > 0)
        page_format(page, PAINT_PLAIN, "  malloc_trim would return %s%s\n",
                    view->fresh->trim_is_limit ? "at most " : "",
                    number_text(beside[LEDGER_TRIM], &view->style).text);
    if (beside[LEDGER_PURGE] > 0)
        page_format(page, PAINT_PLAIN, "  a purge would return at most %s\n",
                    number_text(beside[LEDGER_PURGE], &view->style).text);
}

/* "swap 1.0 MiB", or with a base "swap 1.0 MiB (+512.0 KiB)". */
static void put_beside_figure(FILE *out, const struct ledger_view *view, enum ledger_beside beside,
                              const char *title)
{
    int64_t fresh = view->fresh->beside[beside], base = base_of(view)->beside[beside];
    bool of_all = beside <= LEDGER_PAGE_TABLES && beside != LEDGER_SWAP; /* 0 means not known */
    if (fresh == 0 && (of_all || base == 0))
        return;
    fprintf(out, "%s %s %s", ftell(out) > 0 ? "," : "beside it:", title,
            number_text(fresh, &view->style).text);
    if (view->base && fresh != base && !(of_all && base == 0))
        fprintf(out, " (%s)", number_text_signed(value_difference(fresh, base), &view->style).text);
}

static void put_beside(const struct page *page, const struct ledger_view *view)
{
    static const struct {
        enum ledger_beside beside;
        const char *title;
    } figures[] = {
        {LEDGER_RSS_PEAK, "peak RSS"},
        {LEDGER_SWAP, "swapped out"},
        {LEDGER_PSS, "PSS"},
        {LEDGER_USS, "USS"},
        {LEDGER_PAGE_TABLES, "page tables"},
        {LEDGER_HUGETLB, "hugetlb"},
        {LEDGER_LAZY_FREE, "lazily freed"},
        {LEDGER_HUGE_PAGES, "in huge pages"},
    };
    char *text = NULL;
    size_t size_bytes;
    FILE *out = open_memstream(&text, &size_bytes);
    if (!out)
        return;
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        put_beside_figure(out, view, figures[i].beside, figures[i].title);
    fclose(out);
    if (text[0])
        page_wrapped(page, PAINT_PLAIN, text, 2);
    free(text);
}

static void put_cgroup(const struct page *page, const struct ledger_view *view)
{
    int64_t used = view->fresh->beside[LEDGER_CGROUP];
    int64_t limit = view->fresh->beside[LEDGER_CGROUP_LIMIT];
    int64_t left = value_difference(limit, used);
    if (used <= 0)
        return;
    page_format(page, PAINT_PLAIN, "  cgroup: %s", number_text(used, &view->style).text);
    if (limit > 0)
        page_format(page, left < limit / 10 ? PAINT_WARNING : PAINT_PLAIN,
                    " of %s, %s before the OOM killer", number_text(limit, &view->style).text,
                    number_text(left > 0 ? left : 0, &view->style).text);
    page_put(page, PAINT_PLAIN, "\n");
}

static void put_measured(const struct page *page, const char *side, const struct ledger_book *book)
{
    char *text = memory_format("%smeasured %s%s", side, ledger_source_title(book),
                               book->stopped ? ", all threads stopped" : "");
    page_wrapped(page, PAINT_DIM, text, 2);
    free(text);
}

/* How exact it is. */
static void put_quality(const struct page *page, const struct ledger_view *view)
{
    const struct ledger_book *base = base_of(view), *fresh = view->fresh;
    bool differ = view->base && (base->source != fresh->source || base->stopped != fresh->stopped);
    if (differ)
        put_measured(page, "old ", base);
    put_measured(page, differ ? "new " : "", fresh);
    if (base->sampled || fresh->sampled)
        page_put(page, PAINT_DIM, "  sampled: what sites have is estimated, the sum is exact\n");
}

void render_ledger_notes(const struct page *page, const struct ledger_view *view)
{
    put_site_notes(page, view);
    put_forecasts(page, view);
    put_beside(page, view);
    put_cgroup(page, view);
    put_quality(page, view);
}
