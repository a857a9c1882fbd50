#include "render_ledger.h"

#include "ledger_detail.h"
#include "cli/ground/character.h"
#include "cli/ground/name_text.h"
#include "cli/ground/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LABEL_COLUMNS = 16,
    FIGURE_COLUMNS_MIN = 12, /* two of them before a number */
    PERCENT_COLUMNS = 9,
    BAR_SHARE = 8, /* of the page's columns */
    BAR_STEPS = 8, /* of a block character */
};

/* A line of the table: a kind of both moments. */
struct row {
    int kind;
    int64_t base, fresh;
};

struct table {
    const struct page *page;
    const struct ledger_view *view;
    struct ledger_change *changes;
    size_t change_count;
    int64_t largest; /* of all rows: a full bar */
    size_t figure_columns;
};

static const struct ledger_book nothing;

static const struct ledger_book *base_of(const struct ledger_view *view)
{
    return view->base ? view->base : &nothing;
}

static int64_t change_of(const struct row *row)
{
    return value_difference(row->fresh, row->base);
}

static struct number_text amount(const struct ledger_view *view, int64_t bytes)
{
    return view->base ? number_text_signed(bytes, &view->style) : number_text(bytes, &view->style);
}

static enum paint paint_of(int64_t change)
{
    return change > 0 ? PAINT_GROWN : change < 0 ? PAINT_SHRUNK : PAINT_PLAIN;
}

/* Details. */

/* As many details as fit, from a column on that is `padding` columns off. */
static void put_details(const struct table *table, int kind, size_t column, size_t padding)
{
    const struct page *page = table->page;
    struct ledger_detail details[LEDGER_DETAILS_MAX];
    size_t count =
        ledger_details_of(table->view->sites, table->changes, table->change_count, kind, details);
    for (size_t i = 0; i < count; i++) {
        char text[NAME_TEXT_BYTES + 2 * NUMBER_TEXT_BYTES];
        snprintf(text, sizeof text, "%s%s %s", i ? ", " : "  ",
                 ledger_detail_name(&details[i]).text, amount(table->view, details[i].bytes).text);
        column += character_text_columns(text);
        if (column > page->columns)
            return;
        page_spaces(page, i ? 0 : padding);
        page_put(page, PAINT_DIM, text);
    }
}

/* Rows. */

/* Two columns off. Returns the columns that are left of its room. */
static size_t put_bar(const struct table *table, int64_t bytes)
{
    static const char *const parts[BAR_STEPS] = {"",       "\u258f", "\u258e", "\u258d",
                                                 "\u258c", "\u258b", "\u258a", "\u2589"};
    const struct page *page = table->page;
    size_t width = page->columns / BAR_SHARE, full = 0, part = 0;
    if (bytes > 0 && table->largest > 0) {
        double share = (double)bytes / (double)table->largest;
        size_t steps = (size_t)(share * (double)(width * BAR_STEPS) + 0.5);
        full = steps / BAR_STEPS;
        part = steps % BAR_STEPS;
    }
    if (!page->unicode) {
        full += part >= BAR_STEPS / 2;
        part = 0;
    }
    if (full + part == 0)
        return 2 + width;
    page_spaces(page, 2);
    for (size_t i = 0; i < full; i++)
        page_put(page, PAINT_PLAIN, page->unicode ? "\u2588" : "#");
    page_put(page, PAINT_PLAIN, parts[part]);
    return width - full - (part > 0);
}

static size_t figures_columns(const struct table *table)
{
    size_t columns = 2 + LABEL_COLUMNS + table->figure_columns;
    return columns + (table->view->base ? 2 * table->figure_columns : PERCENT_COLUMNS);
}

/* Label and figures of a row; a share of RSS, or old, new and the change. */
static void put_figures(const struct table *table, enum paint paint, const char *label,
                        const struct row *row)
{
    const struct page *page = table->page;
    const struct ledger_view *view = table->view;
    page_spaces(page, 2);
    page_left(page, paint, label, LABEL_COLUMNS);
    if (!view->base) {
        page_right(page, paint, number_text(row->fresh, &view->style).text, table->figure_columns);
        page_right(page, PAINT_PLAIN, number_percent(row->fresh, view->fresh->rss_bytes).text,
                   PERCENT_COLUMNS);
        return;
    }
    page_right(page, paint, number_text(row->base, &view->style).text, table->figure_columns);
    page_right(page, paint, number_text(row->fresh, &view->style).text, table->figure_columns);
    page_right(page, paint_of(change_of(row)), amount(view, change_of(row)).text,
               table->figure_columns);
}

static void put_row(const struct table *table, const struct row *row)
{
    size_t column = figures_columns(table), padding = 0;
    put_figures(table, PAINT_PLAIN, ledger_kind_title(row->kind), row);
    if (!table->view->base) {
        padding = put_bar(table, row->fresh);
        column += 2 + table->page->columns / BAR_SHARE;
    }
    put_details(table, row->kind, column, padding);
    page_put(table->page, PAINT_PLAIN, "\n");
}

static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    int64_t x = value_magnitude(change_of(a)), y = value_magnitude(change_of(b));
    if (x != y)
        return x < y ? 1 : -1;
    return a->kind - b->kind;
}

/* Makes room for the figures of a row. */
static void measure(struct table *table, const struct row *row)
{
    const struct number_style *style = &table->view->style;
    const struct number_text figures[] = {number_text(row->base, style),
                                          number_text(row->fresh, style),
                                          amount(table->view, change_of(row))};
    for (int i = 0; i < 3; i++)
        if (strlen(figures[i].text) + 2 > table->figure_columns)
            table->figure_columns = strlen(figures[i].text) + 2;
}

static size_t collect_rows(struct table *table, struct row rows[LEDGER_KINDS])
{
    const struct ledger_book *base = base_of(table->view), *fresh = table->view->fresh;
    size_t count = 0;
    for (int kind = 0; kind < LEDGER_KINDS; kind++)
        if (base->kinds[kind] != 0 || fresh->kinds[kind] != 0)
            rows[count++] = (struct row){kind, base->kinds[kind], fresh->kinds[kind]};
    qsort(rows, count, sizeof *rows, compare_rows);
    for (size_t i = 0; i < count; i++) {
        measure(table, &rows[i]);
        if (rows[i].fresh > table->largest)
            table->largest = rows[i].fresh;
    }
    measure(table, &(struct row){0, base->rss_bytes, fresh->rss_bytes});
    measure(table, &(struct row){0, base->drift_bytes, fresh->drift_bytes});
    return count;
}

/* Ends a line, with a remark where there is room. */
static void put_remark(const struct table *table, const char *text)
{
    if (figures_columns(table) + 2 + strlen(text) <= table->page->columns)
        page_format(table->page, PAINT_DIM, "  %s", text);
    page_put(table->page, PAINT_PLAIN, "\n");
}

/* What came and went between the kernel's figure and the scan has a line of its own: the sum is RSS. */
static void put_sum(const struct table *table)
{
    const struct ledger_book *base = base_of(table->view), *fresh = table->view->fresh;
    struct row rss = {0, base->rss_bytes, fresh->rss_bytes};
    struct row drift = {0, base->drift_bytes, fresh->drift_bytes};
    if (drift.base != 0 || drift.fresh != 0) {
        put_figures(table, PAINT_WARNING, "drift", &drift);
        put_remark(table, fresh->sum_bytes == 0 ? "not one resident page could be listed"
                                                : "came or went meanwhile");
    }
    put_figures(table, PAINT_BOLD, "RSS", &rss);
    bool compared = table->view->base != NULL;
    char exact[2 * NUMBER_TEXT_BYTES];
    snprintf(exact, sizeof exact, "%s bytes%s", number_count(change_of(&rss), compared).text,
             compared ? "" : ", by the kernel");
    put_remark(table, exact);
}

static void put_titles(const struct table *table)
{
    const struct page *page = table->page;
    if (!table->view->base)
        return;
    page_spaces(page, 2 + LABEL_COLUMNS);
    page_right(page, PAINT_DIM, "old", table->figure_columns);
    page_right(page, PAINT_DIM, "new", table->figure_columns);
    page_right(page, PAINT_DIM, "change", table->figure_columns);
    page_put(page, PAINT_PLAIN, "\n");
}

void render_ledger_table(const struct page *page, const struct ledger_view *view)
{
    struct row rows[LEDGER_KINDS];
    struct table table = {.page = page, .view = view, .figure_columns = FIGURE_COLUMNS_MIN};
    table.changes = ledger_changes(view->base, view->fresh, &table.change_count);
    size_t count = collect_rows(&table, rows);
    put_titles(&table);
    for (size_t i = 0; i < count; i++)
        put_row(&table, &rows[i]);
    put_sum(&table);
    free(table.changes);
}

void render_ledger(const struct page *page, const struct ledger_view *view)
{
    page_put(page, PAINT_PLAIN, "\n");
    render_ledger_sentence(page, view);
    page_put(page, PAINT_PLAIN, "\n");
    render_ledger_table(page, view);
    page_put(page, PAINT_PLAIN, "\n");
    render_ledger_notes(page, view);
}

/* Why there is no ledger. */
static const char *absence(const struct ledger_book *book)
{
    if (book->altered)
        return "its lines do not add up: it was merged, subtracted or cut";
    return book->asked ? "residency was not measured" : "it was recorded without one";
}

void render_ledger_pair(const struct page *page, const struct ledger_pair *pair,
                        struct number_style style, bool whole)
{
    const struct ledger_book *base = &pair->base, *fresh = &pair->fresh;
    struct ledger_view view = {pair->compared ? base : NULL, fresh, &pair->sites, style};
    if (ledger_pair_known(pair) && whole)
        render_ledger(page, &view);
    else if (ledger_pair_known(pair))
        render_ledger_sentence(page, &view);
    else if (!pair->compared && fresh->asked)
        page_format(page, PAINT_WARNING, "  no ledger of RSS: %s\n", absence(fresh));
    else if (fresh->known || base->known)
        page_format(page, PAINT_WARNING, "  no ledger of RSS: %s has none (%s)\n",
                    fresh->known ? "old" : "new", absence(fresh->known ? base : fresh));
}
