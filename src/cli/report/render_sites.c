#include "render.h"

#include "chain.h"
#include "cli/ground/character.h"
#include "estimate.h"
#include "cli/ground/memory.h"
#include "name_text.h"
#include "value.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_DEFAULT = 25, /* with their callers, a screen of a tall terminal */
    SHARE_LEAST_INVERSE = 1000,
    LEDGER_LEAST_INVERSE = 4, /* what is below a quarter of the whole table has no column */
    NAME_COLUMNS_MIN = 24,
    PLACE_COLUMNS_MIN = 10,
    PLACE_COLUMNS_MAX = 30,
    CALLER_COLUMNS_MAX = 44,
    CALLERS_COLUMN = 14 /* far enough in to set them off */
};

static const double SHARE_TOLD =
    0.95; /* a caller below this share of the step before it is marked */

enum column {
    COLUMN_VALUE,
    COLUMN_INTERVAL,
    COLUMN_PERCENT,
    COLUMN_NOW,
    COLUMN_RESIDENT,
    COLUMN_PINNED,
    COLUMN_OBJECTS,
    COLUMN_KIND,
    COLUMNS
};

struct cell {
    char text[NUMBER_TEXT_BYTES];
};

struct row {
    uint32_t node;
    bool noise; /* a change that may as well be none */
    struct cell cells[COLUMNS];
};

struct table {
    const struct page *page;
    const struct report *report;
    struct tree tree;
    struct row *rows;
    size_t row_count, site_count;
    size_t widths[COLUMNS]; /* 0: the column is left out */
    size_t name_column;     /* where names begin */
    int objects_type;       /* PROFILE_NONE: no such column */
    bool resident, pinned;  /* columns of the ledger */
};

/* inuse_objects for inuse_space, and so on. */
static int objects_type_of(const struct report *report)
{
    char name[64];
    const char *type = report_type(report)->type;
    const char *suffix = strstr(type, "_space");
    if (!suffix || (size_t)(suffix - type) > sizeof name - sizeof "_objects")
        return PROFILE_NONE;
    snprintf(name, sizeof name, "%.*s_objects", (int)(suffix - type), type);
    return profile_type(report->shown, name);
}

static bool has_kinds(const struct tree *tree)
{
    for (size_t i = 0; i < tree->node_count; i++)
        if (tree->nodes[i].kind[0])
            return true;
    return false;
}

static int64_t objects_of(const struct table *table, const struct tree_node *node)
{
    const struct tree *tree = &table->tree;
    int64_t objects = 0;
    for (uint32_t i = node->first_sample; i != TREE_NONE; i = tree->next_sample[i])
        objects = value_sum(objects, tree->profile->samples[i].values[table->objects_type]);
    return objects;
}

/* The ledger's columns. */

/* Sites of the ledger are those of the table where nothing splits or hides them. */
static bool has_ledger(const struct report *report)
{
    const struct options *options = report->options;
    const struct filter_options *filter = &options->filter;
    return ledger_pair_known(report->ledger) && report->ledger->sites.count > 0 &&
           !options->granularity_given && !filter->focus && !filter->ignore &&
           strcmp(report_type(report)->type, "inuse_space") == 0;
}

/* Where they matter. */
static void choose_ledger_columns(struct table *table)
{
    const struct ledger_pair *pair = table->report->ledger;
    if (!has_ledger(table->report))
        return;
    int64_t pinned = value_difference(pair->fresh.kinds[LEDGER_PINNED],
                                      pair->compared ? pair->base.kinds[LEDGER_PINNED] : 0);
    table->pinned = value_magnitude(pinned) > table->tree.total / LEDGER_LEAST_INVERSE;
    table->resident =
        !pair->compared && pair->sites.absent_bytes > table->tree.total / LEDGER_LEAST_INVERSE;
}

static struct number_text ledger_text(const struct table *table, const struct tree_node *node,
                                      int kind)
{
    struct number_style style = report_style(table->report);
    const struct ledger_pair *pair = table->report->ledger;
    const struct ledger_holder *holder =
        ledger_sites_find(&pair->sites, node->name, node->filename);
    int64_t bytes = holder ? holder->bytes[kind] : 0;
    return pair->compared ? number_text_signed(bytes, &style) : number_text(bytes, &style);
}

/* Rows. */

static struct cell cell_of(struct number_text number)
{
    struct cell cell;
    memcpy(cell.text, number.text, sizeof cell.text);
    return cell;
}

static struct row row_of(const struct table *table, uint32_t index, bool kinds)
{
    const struct tree_node *node = &table->tree.nodes[index];
    struct number_style style = report_style(table->report);
    bool compared = table->report->base != NULL;
    double variance = tree_node_variance(&table->tree, node);
    struct row row = {.node = index, .noise = compared && estimate_is_noise(node->flat, variance)};
    row.cells[COLUMN_VALUE] = cell_of(compared ? number_text_signed(node->flat, &style)
                                               : number_text(node->flat, &style));
    if (variance > 0)
        row.cells[COLUMN_INTERVAL] = cell_of(number_text(estimate_interval(variance), &style));
    row.cells[COLUMN_PERCENT] = cell_of(number_percent(node->flat, table->tree.total));
    if (compared)
        row.cells[COLUMN_NOW] =
            cell_of(number_text(value_sum(node->flat_base, node->flat), &style));
    bool mapped = strcmp(node->kind, "mmap") == 0;
    if (table->resident)
        row.cells[COLUMN_RESIDENT] =
            cell_of(ledger_text(table, node, mapped ? LEDGER_MAPPED : LEDGER_LIVE));
    if (table->pinned && !mapped)
        row.cells[COLUMN_PINNED] = cell_of(ledger_text(table, node, LEDGER_PINNED));
    if (table->objects_type != PROFILE_NONE)
        row.cells[COLUMN_OBJECTS] = cell_of(number_count(objects_of(table, node), compared));
    if (kinds)
        snprintf(row.cells[COLUMN_KIND].text, sizeof row.cells[0].text, "%.32s",
                 name_plain_fitted(node->kind, 8).text); /* 8 columns, of 4 bytes at most */
    return row;
}

static const char *title_of(const struct table *table, enum column column)
{
    bool compared = table->report->base != NULL;
    static const char *const titles[COLUMNS] = {"",         "+-",     "%",       "now",
                                                "resident", "pinned", "objects", "kind"};
    if (column == COLUMN_VALUE)
        return compared ? "growth" : "size";
    return titles[column];
}

/* Leaves a column out where names would have no room beside it. */
static void drop_column(struct table *table, enum column column)
{
    size_t least = NAME_COLUMNS_MIN + 2 + PLACE_COLUMNS_MIN;
    if (table->widths[column] == 0 || table->name_column + least <= table->page->columns)
        return;
    table->name_column -= table->widths[column] + 2;
    table->widths[column] = 0;
}

static void measure(struct table *table)
{
    for (size_t i = 0; i < table->row_count; i++)
        for (enum column column = 0; column < COLUMNS; column++) {
            size_t width = strlen(table->rows[i].cells[column].text);
            if (width > table->widths[column])
                table->widths[column] = width;
        }
    table->name_column = 2;
    for (enum column column = 0; column < COLUMNS; column++) {
        size_t *width = &table->widths[column];
        if (*width > 0 && *width < strlen(title_of(table, column)))
            *width = strlen(title_of(table, column));
        table->name_column += *width > 0 ? *width + 2 : 0;
    }
    drop_column(table, COLUMN_RESIDENT);
    drop_column(table, COLUMN_PINNED);
}

/* Without --top: the first ones, down to a thousandth of the whole. */
static size_t count_worth_showing(const struct table *table, const uint32_t *sorted)
{
    int64_t least = table->tree.total / SHARE_LEAST_INVERSE;
    size_t count = 0;
    while (count < table->site_count && count < ROWS_DEFAULT &&
           value_magnitude(table->tree.nodes[sorted[count]].flat) >= least)
        count++;
    return count;
}

static void collect_rows(struct table *table)
{
    uint32_t *sorted = tree_sorted(&table->tree, TREE_BY_FLAT, &table->site_count);
    long limit = table->report->options->limit;
    bool kinds = has_kinds(&table->tree);
    size_t count = 0;
    while (count < table->site_count && table->tree.nodes[sorted[count]].flat != 0)
        count++;
    table->site_count = table->row_count = count;
    if (limit < 0)
        table->row_count = count_worth_showing(table, sorted);
    if (limit > 0 && count > (size_t)limit)
        table->row_count = (size_t)limit;
    table->rows = memory_zeroed(table->row_count, sizeof *table->rows);
    for (size_t i = 0; i < table->row_count; i++)
        table->rows[i] = row_of(table, sorted[i], kinds);
    free(sorted);
}

/* Printing. */

static enum paint paint_of(const struct table *table, const struct row *row, enum column column)
{
    int64_t flat = table->tree.nodes[row->node].flat;
    if (column == COLUMN_INTERVAL)
        return PAINT_DIM;
    if (column == COLUMN_VALUE && table->report->base && !row->noise)
        return flat > 0 ? PAINT_GROWN : PAINT_SHRUNK;
    return PAINT_PLAIN;
}

static void put_titles(const struct table *table)
{
    const struct page *page = table->page;
    for (enum column column = 0; column < COLUMNS; column++) {
        if (table->widths[column] == 0)
            continue;
        page_spaces(page, 2);
        if (column == COLUMN_KIND)
            page_left(page, PAINT_DIM, title_of(table, column), table->widths[column]);
        else
            page_right(page, PAINT_DIM, title_of(table, column), table->widths[column]);
    }
    page_put(page, PAINT_DIM, "  asked by\n");
}

static void put_cells(const struct table *table, const struct row *row)
{
    for (enum column column = 0; column < COLUMNS; column++) {
        const char *text = row->cells[column].text;
        if (table->widths[column] == 0)
            continue;
        page_spaces(table->page, 2);
        if (column == COLUMN_KIND)
            page_left(table->page, PAINT_PLAIN, text, table->widths[column]);
        else
            page_right(table->page, paint_of(table, row, column), text, table->widths[column]);
    }
}

/* Source file and line of the site, else the file its code lies in. */
static struct name_text place_of(const struct table *table, const struct tree_node *node,
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

static void put_name(const struct table *table, const struct tree_node *node)
{
    const struct page *page = table->page;
    size_t room = page->columns > table->name_column ? page->columns - table->name_column : 0;
    size_t place_room =
        room > NAME_COLUMNS_MIN + 2 ? room - NAME_COLUMNS_MIN - 2 : PLACE_COLUMNS_MIN;
    if (place_room > PLACE_COLUMNS_MAX)
        place_room = PLACE_COLUMNS_MAX;
    struct name_text place = place_of(table, node, place_room);
    size_t place_columns = character_text_columns(place.text);
    size_t name_room = room > place_columns + 2 ? room - place_columns - 2 : 0;
    if (name_room < NAME_COLUMNS_MIN)
        name_room = NAME_COLUMNS_MIN;
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
static void put_callers(const struct table *table, const struct row *row)
{
    static const char noise[] = "  within noise"; /* as wide as the callers are set off */
    static_assert(sizeof noise - 1 == CALLERS_COLUMN, "callers stand in line");
    const struct page *page = table->page;
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

static void put_caption(const struct table *table)
{
    const struct page *page = table->page;
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
                report->options->relative ? "in the base" : "that changed");
}

static void put_rest(const struct table *table)
{
    size_t left = table->site_count - table->row_count;
    int64_t shown = 0;
    for (size_t i = 0; i < table->row_count; i++)
        shown = value_sum(shown, value_magnitude(table->tree.nodes[table->rows[i].node].flat));
    if (table->row_count == 0)
        page_put(table->page, PAINT_PLAIN,
                 table->report->base ? "  nothing changed\n" : "  nothing to show\n");
    if (left > 0)
        page_format(table->page, PAINT_DIM,
                    "  ... and %zu more site%s; those shown make up %s (--top 0 shows all)\n", left,
                    left == 1 ? "" : "s", number_percent(shown, table->tree.total).text);
}

void render_sites(const struct page *page, const struct report *report)
{
    struct table table = {.page = page, .report = report};
    const struct options *options = report->options;
    struct tree_options tree = {.granularity = GRANULARITY_SITES,
                                .type = report->type,
                                .split_kinds = true,
                                .fold = true,
                                .relative = options->relative,
                                .total_of_kept = options->total_of_kept,
                                .filter = report->filter};
    if (options->granularity_given)
        tree.granularity = options->granularity;
    tree_build(&table.tree, report->shown, &tree);
    table.objects_type = objects_type_of(report);
    choose_ledger_columns(&table);
    collect_rows(&table);
    measure(&table);
    put_caption(&table);
    if (table.row_count > 0)
        put_titles(&table);
    for (size_t i = 0; i < table.row_count; i++) {
        put_cells(&table, &table.rows[i]);
        put_name(&table, &table.tree.nodes[table.rows[i].node]);
        put_callers(&table, &table.rows[i]);
    }
    put_rest(&table);
    free(table.rows);
    tree_clear(&table.tree);
}
