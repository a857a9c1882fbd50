#include "site_table.h"

#include "cli/ground/memory.h"
#include "cli/ground/name_text.h"
#include "cli/ground/value.h"
#include "cli/profile/estimate.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROWS_DEFAULT = 25, /* with their callers, a screen of a tall terminal */
    SHARE_LEAST_INVERSE = 1000,
    LEDGER_LEAST_INVERSE = 4 /* what is below a quarter of the whole table has no column */
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

static int64_t objects_of(const struct site_table *table, const struct tree_node *node)
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
    const struct choice *choice = report->choice;
    const struct filter_options *filter = &choice->filter;
    return ledger_pair_known(report->ledger) && report->ledger->sites.count > 0 &&
           !choice->granularity_given && !filter->focus && !filter->ignore &&
           strcmp(report_type(report)->type, "inuse_space") == 0;
}

/* Where they matter. */
static void choose_ledger_columns(struct site_table *table)
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

static struct number_text ledger_text(const struct site_table *table, const struct tree_node *node,
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

static struct site_cell cell_of(struct number_text number)
{
    struct site_cell cell;
    memcpy(cell.text, number.text, sizeof cell.text);
    return cell;
}

static struct site_row row_of(const struct site_table *table, uint32_t index, bool kinds)
{
    const struct tree_node *node = &table->tree.nodes[index];
    struct number_style style = report_style(table->report);
    bool compared = table->report->base != NULL;
    double variance = tree_node_variance(&table->tree, node);
    struct site_row row = {.node = index,
                           .noise = compared && estimate_is_noise(node->flat, variance)};
    row.cells[SITE_VALUE] = cell_of(compared ? number_text_signed(node->flat, &style)
                                             : number_text(node->flat, &style));
    if (variance > 0)
        row.cells[SITE_INTERVAL] = cell_of(number_text(estimate_interval(variance), &style));
    row.cells[SITE_PERCENT] = cell_of(number_percent(node->flat, table->tree.total));
    if (compared)
        row.cells[SITE_NOW] = cell_of(number_text(value_sum(node->flat_base, node->flat), &style));
    bool mapped = strcmp(node->kind, "mmap") == 0;
    if (table->resident)
        row.cells[SITE_RESIDENT] =
            cell_of(ledger_text(table, node, mapped ? LEDGER_MAPPED : LEDGER_LIVE));
    if (table->pinned && !mapped)
        row.cells[SITE_PINNED] = cell_of(ledger_text(table, node, LEDGER_PINNED));
    if (table->objects_type != PROFILE_NONE)
        row.cells[SITE_OBJECTS] = cell_of(number_count(objects_of(table, node), compared));
    if (kinds)
        snprintf(row.cells[SITE_KIND].text, sizeof row.cells[0].text, "%.32s",
                 name_plain_fitted(node->kind, 8).text); /* 8 columns, of 4 bytes at most */
    return row;
}

const char *site_table_title(const struct site_table *table, enum site_column column)
{
    bool compared = table->report->base != NULL;
    static const char *const titles[SITE_COLUMNS] = {"",         "+-",     "%",       "now",
                                                     "resident", "pinned", "objects", "kind"};
    if (column == SITE_VALUE)
        return compared ? "growth" : "size";
    return titles[column];
}

/* Leaves a column out where names would have no room beside it. */
static void drop_column(struct site_table *table, enum site_column column)
{
    size_t least = SITE_NAME_COLUMNS_MIN + 2 + SITE_PLACE_COLUMNS_MIN;
    if (table->widths[column] == 0 || table->name_column + least <= table->columns)
        return;
    table->name_column -= table->widths[column] + 2;
    table->widths[column] = 0;
}

static void measure(struct site_table *table)
{
    for (size_t i = 0; i < table->row_count; i++)
        for (enum site_column column = 0; column < SITE_COLUMNS; column++) {
            size_t width = strlen(table->rows[i].cells[column].text);
            if (width > table->widths[column])
                table->widths[column] = width;
        }
    table->name_column = 2;
    for (enum site_column column = 0; column < SITE_COLUMNS; column++) {
        size_t *width = &table->widths[column];
        if (*width > 0 && *width < strlen(site_table_title(table, column)))
            *width = strlen(site_table_title(table, column));
        table->name_column += *width > 0 ? *width + 2 : 0;
    }
    drop_column(table, SITE_RESIDENT);
    drop_column(table, SITE_PINNED);
}

/* Without --top: the first ones, down to a thousandth of the whole. */
static size_t count_worth_showing(const struct site_table *table, const uint32_t *sorted)
{
    int64_t least = table->tree.total / SHARE_LEAST_INVERSE;
    size_t count = 0;
    while (count < table->site_count && count < ROWS_DEFAULT &&
           value_magnitude(table->tree.nodes[sorted[count]].flat) >= least)
        count++;
    return count;
}

static void collect_rows(struct site_table *table)
{
    uint32_t *sorted = tree_sorted(&table->tree, TREE_BY_FLAT, &table->site_count);
    long limit = table->report->choice->limit;
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

void site_table_make(struct site_table *table, const struct report *report, size_t columns)
{
    const struct choice *choice = report->choice;
    struct tree_options tree = {.granularity = GRANULARITY_SITES,
                                .type = report->type,
                                .split_kinds = true,
                                .fold = true,
                                .relative = choice->relative,
                                .total_of_kept = choice->total_of_kept,
                                .filter = report->filter};
    *table = (struct site_table){.report = report, .columns = columns};
    if (choice->granularity_given)
        tree.granularity = choice->granularity;
    tree_build(&table->tree, report->shown, &tree);
    table->objects_type = objects_type_of(report);
    choose_ledger_columns(table);
    collect_rows(table);
    measure(table);
}

void site_table_free(struct site_table *table)
{
    free(table->rows);
    tree_clear(&table->tree);
}
