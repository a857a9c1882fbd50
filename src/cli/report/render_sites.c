#include "render.h"

#include "chain.h"
#include "site_table.h"
#include "cli/ground/character.h"
#include "cli/ground/name_text.h"
#include "cli/ground/value.h"

#include <assert.h>
#include <string.h>

enum {
    PLACE_COLUMNS_MAX = 30,
    CALLER_COLUMNS_MAX = 44,
    CALLERS_COLUMN = 14 /* far enough in to set them off */
};

/* A caller below this share of the step before it is marked. */
static const double SHARE_TOLD = 0.95;

static enum paint paint_of(const struct site_table *table, const struct site_row *row,
                           enum site_column column)
{
    int64_t flat = table->tree.nodes[row->node].flat;
    if (column == SITE_INTERVAL)
        return PAINT_DIM;
    if (column == SITE_VALUE && table->report->base && !row->noise)
        return flat > 0 ? PAINT_GROWN : PAINT_SHRUNK;
    return PAINT_PLAIN;
}

static void put_titles(const struct page *page, const struct site_table *table)
{
    for (enum site_column column = 0; column < SITE_COLUMNS; column++) {
        if (table->widths[column] == 0)
            continue;
        page_spaces(page, 2);
        if (column == SITE_KIND)
            page_left(page, PAINT_DIM, site_table_title(table, column), table->widths[column]);
        else
            page_right(page, PAINT_DIM, site_table_title(table, column), table->widths[column]);
    }
    page_put(page, PAINT_DIM, "  asked by\n");
}

static void put_cells(const struct page *page, const struct site_table *table,
                      const struct site_row *row)
{
    for (enum site_column column = 0; column < SITE_COLUMNS; column++) {
        const char *text = row->cells[column].text;
        if (table->widths[column] == 0)
            continue;
        page_spaces(page, 2);
        if (column == SITE_KIND)
            page_left(page, PAINT_PLAIN, text, table->widths[column]);
        else
            page_right(page, paint_of(table, row, column), text, table->widths[column]);
    }
}

/* Source file and line of the site, else the file its code lies in. */
static struct name_text place_of(const struct site_table *table, const struct tree_node *node,
                                 size_t columns)
{
    const struct tree *tree = &table->tree;
    struct tree_frame frame = {NULL, NULL, NULL, false};
    struct tree_walk walk = tree_walk_begin(tree, node->heaviest);
    tree_walk_next(&walk, &frame);
    if (frame.function && frame.function->filename[0])
        return name_place(frame.function->filename, (long long)frame.line->line, columns);
    struct name_text place = {""};
    if (!frame.location || frame.location->mapping == PROFILE_NONE ||
        (frame.function && strstr(frame.function->name, "+0x")))
        return place; /* the name itself says where */
    if (frame.location->mapping == 0)
        return place; /* the program itself: nothing new */
    const char *file = tree->profile->mappings[frame.location->mapping].filename;
    struct name_text name = name_place(file, 0, columns - 2);
    if (name.text[0])
        snprintf(place.text, sizeof place.text, name.text[0] == '[' ? "%.200s" : "[%.200s]",
                 name.text);
    return place;
}

static void put_name(const struct page *page, const struct site_table *table,
                     const struct tree_node *node)
{
    size_t room = page->columns > table->name_column ? page->columns - table->name_column : 0;
    size_t place_room = room > SITE_NAME_COLUMNS_MIN + 2 ? room - SITE_NAME_COLUMNS_MIN - 2
                                                         : SITE_PLACE_COLUMNS_MIN;
    if (place_room > PLACE_COLUMNS_MAX)
        place_room = PLACE_COLUMNS_MAX;
    struct name_text place = place_of(table, node, place_room);
    size_t place_columns = character_text_columns(place.text);
    size_t name_room = room > place_columns + 2 ? room - place_columns - 2 : 0;
    if (name_room < SITE_NAME_COLUMNS_MIN)
        name_room = SITE_NAME_COLUMNS_MIN;
    const char *name = node->name[0] ? node->name : node->filename;
    struct name_text fitted = name_text_fitted(name[0] ? name : "(no name)", name_room);
    page_spaces(page, 2);
    if (!place.text[0] || !node->name[0]) {
        page_format(page, PAINT_BOLD, "%s\n", fitted.text);
        return;
    }
    page_left(page, PAINT_BOLD, fitted.text, name_room + 2);
    page_format(page, PAINT_PLAIN, "%s\n", place.text);
}

/* " < name x3 (62%)" */
static void step_text(const struct chain_step *step, double share_before, char *text, size_t room)
{
    struct name_text name = name_text_fitted(step->function->name, CALLER_COLUMNS_MAX);
    char times[16] = "", percent[16] = "";
    if (step->times > 1)
        snprintf(times, sizeof times, " x%u", step->times);
    if (step->share < share_before * SHARE_TOLD)
        snprintf(percent, sizeof percent, " (%.0f%%)", 100 * step->share);
    snprintf(text, room, "< %.200s%s%s", name.text[0] ? name.text : "?", times, percent);
}

/* Callers, as many as fit into a line under the figures; before them what the row is worth. */
static void put_callers(const struct page *page, const struct site_table *table,
                        const struct site_row *row)
{
    static const char noise[] = "  within noise"; /* as wide as the callers are set off */
    static_assert(sizeof noise - 1 == CALLERS_COLUMN, "callers stand in line");
    struct chain chain = chain_of(&table->tree, row->node);
    size_t column = CALLERS_COLUMN;
    double share = 1;
    if (row->noise)
        page_put(page, PAINT_DIM, noise);
    else if (chain.count > 0)
        page_spaces(page, CALLERS_COLUMN);
    for (size_t i = 0; i < chain.count; i++) {
        char text[256];
        step_text(&chain.steps[i], share, text, sizeof text);
        share = chain.steps[i].share;
        column += 1 + character_text_columns(text);
        if (column > page->columns)
            break;
        page_format(page, PAINT_DIM, " %s", text);
    }
    page_put(page, PAINT_PLAIN, chain.count > 0 || row->noise ? "\n" : "");
}

static void put_caption(const struct page *page, const struct site_table *table)
{
    const struct report *report = table->report;
    struct number_style style = report_style(report);
    struct name_text type = name_plain(report_type(report)->type);
    struct interval_text interval =
        report_interval(report, table->tree.kept, tree_kept_variance(&table->tree));
    page_put(page, PAINT_PLAIN, "\n");
    if (!report->base || table->tree.total == 0) {
        page_format(page, PAINT_PLAIN, "%s: %s%s\n", type.text,
                    number_text(table->tree.kept, &style).text, interval.text);
        return;
    }
    page_format(page, PAINT_PLAIN, "%s: %s%s, %% of %s %s\n", type.text,
                number_text_signed(table->tree.kept, &style).text, interval.text,
                number_text(table->tree.total, &style).text,
                report->choice->relative ? "in the base" : "that changed");
}

static void put_rest(const struct page *page, const struct site_table *table)
{
    size_t left = table->site_count - table->row_count;
    int64_t shown = 0;
    for (size_t i = 0; i < table->row_count; i++)
        shown = value_sum(shown, value_magnitude(table->tree.nodes[table->rows[i].node].flat));
    if (table->row_count == 0)
        page_put(page, PAINT_PLAIN,
                 table->report->base ? "  nothing changed\n" : "  nothing to show\n");
    if (left > 0)
        page_format(page, PAINT_DIM,
                    "  ... and %zu more site%s; those shown make up %s (--top 0 shows all)\n", left,
                    left == 1 ? "" : "s", number_percent(shown, table->tree.total).text);
}

void render_sites(const struct page *page, const struct report *report)
{
    struct site_table table;
    site_table_make(&table, report, page->columns);
    put_caption(page, &table);
    if (table.row_count > 0)
        put_titles(page, &table);
    for (size_t i = 0; i < table.row_count; i++) {
        put_cells(page, &table, &table.rows[i]);
        put_name(page, &table, &table.tree.nodes[table.rows[i].node]);
        put_callers(page, &table, &table.rows[i]);
    }
    put_rest(page, &table);
    site_table_free(&table);
}
