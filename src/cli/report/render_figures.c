#include "render_figures.h"

#include "cli/ground/value.h"
#include "cli/profile/estimate.h"

#include <stdio.h>

enum { LABEL_COLUMNS = 16, FIGURE_COLUMNS = 15 };

struct figure {
    const char *label;
    bool known; /* on both sides, when there are two */
    int64_t base, fresh;
    char note[2 * NUMBER_TEXT_BYTES];
};

/* Of the change of the live bytes, which are not scaled as sites may be. */
static double change_variance(const struct report *report, const struct summary *base,
                              const struct summary *fresh)
{
    if (report->choice->normalize)
        return base->live_variance + fresh->live_variance;
    return estimate_profile_variance(report->shown, profile_type(report->shown, "inuse_space"));
}

/* Under the live bytes: how far they may be off. */
static void put_intervals(const struct page *page, const struct report *report,
                          const struct summary *base, const struct summary *fresh)
{
    struct number_style style = report_bytes_style(report);
    double variances[] = {fresh->live_variance, 0, 0};
    if (report->base) {
        variances[0] = base->live_variance;
        variances[1] = fresh->live_variance;
        variances[2] = change_variance(report, base, fresh);
    }
    page_put(page, PAINT_PLAIN, "  ");
    page_left(page, PAINT_DIM, "  +-", LABEL_COLUMNS);
    for (int i = 0; i < (report->base ? 3 : 1); i++)
        page_right(page, PAINT_DIM, number_text(estimate_interval(variances[i]), &style).text,
                   FIGURE_COLUMNS);
    page_put(page, PAINT_PLAIN, "\n");
}

static void put_figure(const struct page *page, const struct report *report,
                       const struct figure *figure)
{
    struct number_style style = report_bytes_style(report);
    if (!figure->known)
        return;
    page_put(page, PAINT_PLAIN, "  ");
    page_left(page, PAINT_PLAIN, figure->label, LABEL_COLUMNS);
    if (report->base)
        page_right(page, PAINT_PLAIN, number_text(figure->base, &style).text, FIGURE_COLUMNS);
    page_right(page, PAINT_PLAIN, number_text(figure->fresh, &style).text, FIGURE_COLUMNS);
    if (report->base) {
        int64_t change = value_difference(figure->fresh, figure->base);
        enum paint paint = change > 0 ? PAINT_GROWN : change < 0 ? PAINT_SHRUNK : PAINT_PLAIN;
        page_right(page, paint, number_text_signed(change, &style).text, FIGURE_COLUMNS);
    }
    if (figure->note[0])
        page_format(page, PAINT_DIM, "   %s", figure->note);
    page_put(page, PAINT_PLAIN, "\n");
}

static void put_columns(const struct page *page)
{
    page_spaces(page, 2 + LABEL_COLUMNS);
    page_right(page, PAINT_DIM, "old", FIGURE_COLUMNS);
    page_right(page, PAINT_DIM, "new", FIGURE_COLUMNS);
    page_right(page, PAINT_DIM, "change", FIGURE_COLUMNS);
    page_put(page, PAINT_PLAIN, "\n");
}

static void note_objects(struct figure *figure, const struct summary *base,
                         const struct summary *fresh, bool compared)
{
    const char *noun = fresh->live_objects == 1 ? "object" : "objects";
    if (fresh->live_objects < 0)
        return;
    struct number_text now = number_count(fresh->live_objects, false), change = {""};
    if (compared && base->live_objects >= 0)
        change = number_count(value_difference(fresh->live_objects, base->live_objects), true);
    if (change.text[0])
        snprintf(figure->note, sizeof figure->note, "%.30s %s (%.30s)", now.text, noun,
                 change.text); /* 30: the longest number there is, and more */
    else
        snprintf(figure->note, sizeof figure->note, "%.30s %s", now.text, noun);
}

static void note_memory(const struct report *report, struct figure *rss, struct figure *gap,
                        const struct summary *fresh)
{
    struct number_style style = report_bytes_style(report);
    if (fresh->rss_peak_bytes)
        snprintf(rss->note, sizeof rss->note, "peak %s",
                 number_text(fresh->rss_peak_bytes, &style).text);
    if (fresh->rss_bytes && fresh->rss_bytes < fresh->live_bytes)
        snprintf(gap->note, sizeof gap->note, "some live memory was never written");
}

void render_figures(const struct page *page, const struct report *report,
                    const struct summary *base, const struct summary *fresh)
{
    bool two = report->base != NULL;
    bool live = fresh->has_live && (!two || base->has_live);
    bool kinds = live && fresh->has_kinds && (!two || base->has_kinds);
    bool told = ledger_pair_known(report->ledger); /* of RSS all has been said */
    bool rss = !told && fresh->rss_bytes && (!two || base->rss_bytes);
    bool own = rss && fresh->own_bytes && (!two || base->own_bytes);
    struct figure figures[] = {
        {"live", live, base->live_bytes, fresh->live_bytes, ""},
        {"  malloc", kinds, base->malloc_bytes, fresh->malloc_bytes, ""},
        {"  mmap", kinds, base->mmap_bytes, fresh->mmap_bytes, ""},
        {"RSS", rss, base->rss_bytes, fresh->rss_bytes, ""},
        {"gap: RSS - live", rss && live, value_difference(base->rss_bytes, base->live_bytes),
         value_difference(fresh->rss_bytes, fresh->live_bytes), ""},
        {"  heapdiff's own", own, base->own_bytes, fresh->own_bytes, ""},
    };
    note_objects(&figures[0], base, fresh, two);
    note_memory(report, &figures[3], &figures[4], fresh);
    if (!live && !rss)
        return;
    page_put(page, PAINT_PLAIN, "\n");
    if (two)
        put_columns(page);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        put_figure(page, report, &figures[i]);
        if (i == 0 && live && base->live_variance + fresh->live_variance > 0)
            put_intervals(page, report, base, fresh);
    }
}
