#include "pprof_table.h"

#include "cli/ground/character.h"
#include "cli/ground/name_text.h"
#include "cli/ground/value.h"

#include <stdlib.h>
#include <string.h>

enum { VALUE_COLUMNS_MIN = 11, PERCENT_COLUMNS = PPROF_TABLE_PERCENT_COLUMNS };

struct name_text pprof_table_name(const struct pprof_table *table, uint32_t index, size_t columns)
{
    const struct tree_node *node = &table->tree.nodes[index];
    bool with_place = node->name[0] && node->filename[0];
    struct name_text place = {""}, name;
    if (with_place)
        place = name_place(node->filename, (long long)node->line, columns / 2);
    size_t room = columns - (with_place ? character_text_columns(place.text) + 1 : 0);
    name = name_text_fitted(node->name[0] ? node->name : node->filename, room);
    if (!name.text[0])
        snprintf(name.text, sizeof name.text, "0x%llx", (unsigned long long)node->address);
    size_t length = strlen(name.text);
    if (with_place)
        snprintf(name.text + length, sizeof name.text - length, " %.200s", place.text);
    return name;
}

/* The share of nodes is of the sum of all flat values, as in pprof. */
static int64_t cutoff_of(const struct tree *tree, double fraction)
{
    int64_t sum = 0;
    for (size_t i = 0; i < tree->node_count; i++)
        sum = value_sum(sum, tree->nodes[i].flat);
    return value_magnitude((int64_t)((double)sum * fraction));
}

static void choose_rows(struct pprof_table *table)
{
    const struct choice *choice = table->report->choice;
    size_t count;
    table->rows = tree_sorted(&table->tree, choice->by_cum ? TREE_BY_CUM : TREE_BY_FLAT, &count);
    table->cutoff = cutoff_of(&table->tree, choice->node_fraction);
    for (size_t i = 0; i < count; i++)
        if (value_magnitude(table->tree.nodes[table->rows[i]].cum) >= table->cutoff)
            table->rows[table->row_count++] = table->rows[i];
    table->dropped = count - table->row_count;
    if (choice->limit > 0 && table->row_count > (size_t)choice->limit)
        table->row_count = (size_t)choice->limit;
}

static void measure(struct pprof_table *table)
{
    struct number_style style = report_style(table->report);
    table->value_columns = VALUE_COLUMNS_MIN;
    for (size_t i = 0; i < table->tree.node_count; i++) {
        const struct tree_node *node = &table->tree.nodes[i];
        size_t flat = strlen(number_text(node->flat, &style).text) + 2;
        size_t cum = strlen(number_text(node->cum, &style).text) + 2;
        size_t wider = flat > cum ? flat : cum;
        table->value_columns = wider > table->value_columns ? wider : table->value_columns;
    }
    table->name_column = 2 * table->value_columns + 3 * PERCENT_COLUMNS + 2;
}

void pprof_table_open(struct pprof_table *table, const struct page *page,
                      const struct report *report, bool edges)
{
    const struct choice *choice = report->choice;
    struct tree_options tree = {.granularity = choice->granularity,
                                .type = report->type,
                                .fold = choice->filter.skip != NULL,
                                .edges = edges,
                                .relative = choice->relative,
                                .total_of_kept = choice->total_of_kept,
                                .filter = report->filter};
    *table = (struct pprof_table){.page = page, .report = report};
    tree_build(&table->tree, report->shown, &tree);
    choose_rows(table);
    measure(table);
}

void pprof_table_close(struct pprof_table *table)
{
    free(table->rows);
    tree_clear(&table->tree);
}

void pprof_table_value(const struct pprof_table *table, int64_t value)
{
    struct number_style style = report_style(table->report);
    page_right(table->page, PAINT_PLAIN, number_text(value, &style).text, table->value_columns);
}

void pprof_table_percent(const struct pprof_table *table, int64_t value, int64_t whole)
{
    page_right(table->page, PAINT_PLAIN, number_percent(value, whole).text, PERCENT_COLUMNS);
}

void pprof_table_caption(const struct pprof_table *table)
{
    const struct page *page = table->page;
    struct number_style style = report_style(table->report);
    const struct value_type *type = report_type(table->report);
    int64_t shown = 0;
    for (size_t i = 0; i < table->row_count; i++)
        shown = value_sum(shown, table->tree.nodes[table->rows[i]].flat);
    struct interval_text interval =
        report_interval(table->report, table->tree.kept, tree_kept_variance(&table->tree));
    page_format(page, PAINT_PLAIN, "\n%s: nodes shown account for %s, %s of %s\n",
                name_plain(type->type).text, number_text(shown, &style).text,
                number_percent(shown, table->tree.total).text,
                number_text(table->tree.total, &style).text);
    if (interval.text[0])
        page_format(page, PAINT_PLAIN, "all nodes: %s%s\n",
                    number_text(table->tree.kept, &style).text, interval.text);
    if (table->dropped > 0)
        page_format(page, PAINT_DIM, "%zu nodes with cum below %s are left out (--nodefraction)\n",
                    table->dropped, number_text(table->cutoff, &style).text);
}

void pprof_table_titles(const struct pprof_table *table)
{
    static const struct {
        const char *title;
        bool share;
    } titles[] = {{"flat", false}, {"flat%", true}, {"sum%", true}, {"cum", false}, {"cum%", true}};
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        page_right(table->page, PAINT_DIM, titles[i].title,
                   titles[i].share ? PERCENT_COLUMNS : table->value_columns);
    page_put(table->page, PAINT_PLAIN, "\n");
}

void pprof_table_figures(const struct pprof_table *table, const struct tree_node *node, int64_t sum)
{
    pprof_table_value(table, node->flat);
    pprof_table_percent(table, node->flat, table->tree.total);
    pprof_table_percent(table, sum, table->tree.total);
    pprof_table_value(table, node->cum);
    pprof_table_percent(table, node->cum, table->tree.total);
}

void pprof_table_rule(const struct pprof_table *table)
{
    const struct page *page = table->page;
    for (size_t i = 0; i < page->columns; i++)
        page_put(page, PAINT_PLAIN, i == table->name_column + 1 ? "+" : "-");
    page_put(page, PAINT_PLAIN, "\n");
}
