#include "render_ledger.h"

#include "name_text.h"
#include "value.h"
#include "cli/ground/character.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LABEL_COLUMNS = 16,
    FIGURE_COLUMNS_MIN = 12, /* two of them before a number */
    PERCENT_COLUMNS = 9,
    BAR_SHARE = 8, /* of the page's columns */
    BAR_STEPS = 8, /* of a block character */
    DETAIL_NAME_COLUMNS = 40,
    DETAILS_MAX = 8,
};

/* A line of the table: a kind of both moments. */
struct row {
    int kind;
    int64_t base, fresh;
};

/* What a row or a note names: a site, a file, a thread. */
struct detail {
    const char *name;
    bool is_path;
    int64_t bytes;
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

static bool is_path_kind(int kind)
{
    return kind == LEDGER_FILE || kind == LEDGER_DATA;
}

static struct name_text detail_name(const struct detail *detail)
{
    const char *name = detail->name;
    if (!detail->is_path)
        return name_text_fitted(name, DETAIL_NAME_COLUMNS);
    const char *text = strchr(name, ' '); /* what comes behind may have a slash */
    const char *slash = name;
    for (const char *at = name; (at = strchr(at, '/')) && (!text || at < text); at++)
        slash = at + 1;
    return name_plain_fitted(slash, DETAIL_NAME_COLUMNS);
}

static int compare_details(const void *left, const void *right)
{
    const struct detail *a = left, *b = right;
    int64_t x = value_magnitude(a->bytes), y = value_magnitude(b->bytes);
    if (x != y)
        return x < y ? 1 : -1;
    return strcmp(a->name, b->name);
}

static size_t site_details(const struct ledger_view *view, int kind, struct detail *details,
                           size_t room)
{
    const struct ledger_holder *top[DETAILS_MAX];
    size_t count = view->sites ? ledger_sites_top(view->sites, kind, top, room) : 0;
    if (count > room)
        count = room;
    for (size_t i = 0; i < count; i++)
        details[i] =
            (struct detail){ledger_holder_name(top[i]), false, ledger_holder_bytes(top[i], kind)};
    return count;
}

/* Of the lines without a site; idle memory whose owner is not known is worth saying so. */
static size_t line_details(const struct table *table, int kind, struct detail *details, size_t room)
{
    size_t count = 0;
    for (size_t i = 0; i < table->change_count && count < room; i++) {
        const struct ledger_change *change = &table->changes[i];
        int64_t bytes = value_difference(change->fresh, change->base);
        const char *name = change->name;
        if (kind == LEDGER_IDLE && !name[0])
            name = "owner not known";
        if (change->kind == kind && bytes != 0 && name[0])
            details[count++] = (struct detail){name, is_path_kind(kind), bytes};
    }
    return count;
}

/* The largest of a kind's sites and other lines, largest first; returns how many. */
static size_t details_of(const struct table *table, int kind, struct detail details[DETAILS_MAX])
{
    enum { SIDE = DETAILS_MAX / 2 };
    size_t count = kind < LEDGER_CATEGORIES ? site_details(table->view, kind, details, SIDE) : 0;
    count += line_details(table, kind, details + count, SIDE);
    qsort(details, count, sizeof *details, compare_details);
    return count;
}

/* As many details as fit, from a column on that is `padding` columns off. */
static void put_details(const struct table *table, int kind, size_t column, size_t padding)
{
    const struct page *page = table->page;
    struct detail details[DETAILS_MAX];
    size_t count = details_of(table, kind, details);
    for (size_t i = 0; i < count; i++) {
        char text[NAME_TEXT_BYTES + 2 * NUMBER_TEXT_BYTES];
        snprintf(text, sizeof text, "%s%s %s", i ? ", " : "  ", detail_name(&details[i]).text,
                 amount(table->view, details[i].bytes).text);
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
