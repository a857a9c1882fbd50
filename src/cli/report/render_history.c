#include "render_collection.h"

#include "cli/ground/character.h"
#include "cli/ground/memory.h"
#include "cli/ground/name_text.h"
#include "cli/ground/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CELL_BYTES = 160,
    SOURCE_COLUMNS = 12,
    REASON_COLUMNS = 64,
    SEPARATE = 2,
    AUTO_SMALLEST = 10 /* the largest value of a table is this much of its unit, or more */
};

enum column { NUMBER, TIME, BY, HEAP, PAUSE, RSS, GOAL, REASON, COLUMNS };

/* A table: the first row has the titles. A column in which no row has anything is left out. */
struct table {
    struct row {
        char cells[COLUMNS][CELL_BYTES];
    } * rows;
    size_t count, widths[COLUMNS];
    const char *unit; /* of all bytes, so that rows compare at a glance and are short */
    double divisor;
    bool whole; /* of single bytes */
};

static int64_t largest_of(const struct collection_book *book, int64_t now_bytes)
{
    int64_t largest = now_bytes;
    for (size_t i = 0; i < book->count; i++) {
        const struct collection *item = &book->items[i];
        const int64_t values[] = {item->before_bytes, item->after_bytes, item->rss_bytes,
                                  item->goal_bytes};
        for (size_t j = 0; j < sizeof values / sizeof values[0]; j++)
            largest = values[j] > largest ? values[j] : largest;
    }
    return largest;
}

static void choose_unit(struct table *table, const struct number_style *style, int64_t largest)
{
    static const char *const units[] = {"B", "KiB", "MiB"};
    size_t i = 0;
    table->unit = style->suffix;
    table->divisor = style->divisor;
    if (!table->unit) {
        for (table->divisor = 1; i + 1 < sizeof units / sizeof units[0] &&
                                 (double)largest >= AUTO_SMALLEST * 1024 * table->divisor;
             i++)
            table->divisor *= 1024;
        table->unit = units[i];
    }
    table->whole = table->divisor <= 1;
}

/* "12.0"; what is not known is `unknown`. */
static struct number_text cell_number(const struct table *table, int64_t bytes, bool known,
                                      const char *unknown)
{
    struct number_text number;
    if (!known)
        snprintf(number.text, sizeof number.text, "%s", unknown);
    else if (table->whole || bytes == 0)
        number = number_count(bytes, false);
    else if (value_magnitude(bytes) < 0.05 * table->divisor)
        snprintf(number.text, sizeof number.text, "<0.1");
    else
        snprintf(number.text, sizeof number.text, "%.1f", (double)bytes / table->divisor);
    return number;
}

static void fill_titles(const struct table *table)
{
    struct row *row = &table->rows[0];
    snprintf(row->cells[NUMBER], CELL_BYTES, "number");
    snprintf(row->cells[TIME], CELL_BYTES, "time");
    snprintf(row->cells[BY], CELL_BYTES, "by");
    snprintf(row->cells[HEAP], CELL_BYTES, "before -> after -> now %s", table->unit);
    snprintf(row->cells[PAUSE], CELL_BYTES, "pause ms");
    snprintf(row->cells[RSS], CELL_BYTES, "RSS %s", table->unit);
    snprintf(row->cells[GOAL], CELL_BYTES, "goal %s", table->unit);
    snprintf(row->cells[REASON], CELL_BYTES, "reason");
}

/* "12.0 -> 4.5 -> 6.1": what is not known, now below zero, is "?". */
static void fill_figures(const struct table *table, struct row *row, const struct collection *item,
                         int64_t now_bytes)
{
    struct number_text before = cell_number(table, item->before_bytes, item->before_bytes > 0, "?");
    struct number_text after = cell_number(table, item->after_bytes, item->has_after, "?");
    struct number_text now = cell_number(table, now_bytes, now_bytes >= 0, "?");
    snprintf(row->cells[HEAP], CELL_BYTES, "%s -> %s -> %s", before.text, after.text, now.text);
    if (item->pause_ns > 0)
        snprintf(row->cells[PAUSE], CELL_BYTES, "%.3f", (double)item->pause_ns / 1e6);
    if (item->rss_bytes > 0)
        snprintf(row->cells[RSS], CELL_BYTES, "%s",
                 cell_number(table, item->rss_bytes, true, "").text);
    if (item->goal_bytes > 0)
        snprintf(row->cells[GOAL], CELL_BYTES, "%s",
                 cell_number(table, item->goal_bytes, true, "").text);
}

static void fill_row(struct row *row, const struct collection *item, int64_t start_ns)
{
    snprintf(row->cells[NUMBER], CELL_BYTES, "%lld", (long long)item->number);
    if (start_ns > 0 && item->time_ns >= start_ns)
        snprintf(row->cells[TIME], CELL_BYTES, "@%.3fs", (double)(item->time_ns - start_ns) / 1e9);
    snprintf(row->cells[BY], CELL_BYTES, "%.60s%s",
             name_plain_fitted(item->source, SOURCE_COLUMNS).text, item->is_full ? "" : " minor");
    snprintf(row->cells[REASON], CELL_BYTES, "%.150s",
             name_plain_fitted(item->reason, REASON_COLUMNS).text);
}

static void measure(struct table *table)
{
    for (int column = 0; column < COLUMNS; column++) {
        size_t wide = 0;
        for (size_t i = 1; i < table->count; i++) {
            size_t columns = character_text_columns(table->rows[i].cells[column]);
            wide = columns > wide ? columns : wide;
        }
        size_t title = character_text_columns(table->rows[0].cells[column]);
        table->widths[column] = wide > 0 && title > wide ? title : wide;
    }
}

static void put_row(const struct page *page, const struct table *table, size_t index)
{
    const struct row *row = &table->rows[index];
    size_t used = 0, indent = 0;
    for (int column = 0; column < REASON; column++) {
        enum paint paint = index == 0 || column == NUMBER ? PAINT_DIM : PAINT_PLAIN;
        const char *cell = row->cells[column][0] ? row->cells[column] : "-";
        if (table->widths[column] == 0)
            continue;
        page_spaces(page, used > 0 ? SEPARATE : 0);
        used += (used > 0 ? SEPARATE : 0) + table->widths[column];
        indent = column == BY ? used + SEPARATE : indent;
        if (column == BY)
            page_left(page, paint, cell, table->widths[column]);
        else
            page_right(page, paint, cell, table->widths[column]);
    }
    const char *reason = table->widths[REASON] > 0 ? row->cells[REASON] : "";
    if (reason[0] && used + SEPARATE + character_text_columns(reason) > page->columns) {
        page_put(page, PAINT_PLAIN, "\n"); /* rather than cut short */
        page_spaces(page, indent);
    } else if (reason[0]) {
        page_spaces(page, SEPARATE);
    }
    page_format(page, PAINT_DIM, "%s\n", reason);
}

void render_collection_history(const struct page *page, const struct collection_book *book,
                               const struct profile *profile, const struct number_style *style)
{
    int64_t start_ns = profile_fact_number(profile, "start_time_ns", 0);
    int64_t now_bytes = book->marks > 0 ? book->live_bytes : -1;
    struct table table = {.count = book->count + 1};
    table.rows = memory_zeroed(table.count, sizeof *table.rows);
    choose_unit(&table, style, largest_of(book, now_bytes));
    fill_titles(&table);
    for (size_t i = 0; i < book->count; i++) {
        fill_row(&table.rows[i + 1], &book->items[i], start_ns);
        fill_figures(&table, &table.rows[i + 1], &book->items[i], now_bytes);
    }
    measure(&table);
    for (size_t i = 0; book->count > 0 && i < table.count; i++)
        put_row(page, &table, i);
    free(table.rows);
    render_collection_head(page, book, style);
    render_collection_suspects(page, book, profile, style);
    render_collection_verdict(page, book, style);
}
