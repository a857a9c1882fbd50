/* The tables that users of pprof know, with its columns and its rules for what is left out. */
#include "render.h"

#include "estimate.h"
#include "name_text.h"
#include "value.h"
#include "cli/ground/character.h"
#include "cli/ground/memory.h"

#include <stdlib.h>
#include <string.h>

enum { VALUE_COLUMNS_MIN = 11, PERCENT_COLUMNS = 8 };

struct table {
    const struct page *page;
    const struct report *report;
    struct tree tree;
    uint32_t *rows; /* nodes, in order */
    size_t row_count;
    size_t dropped; /* below the node fraction */
    int64_t cutoff;
    size_t value_columns; /* of the widest value, two spaces included */
    size_t name_column;   /* where names begin */
};

/* Names are as pprof prints them: function, then file:line or file as the granularity asks. */
static struct name_text node_name(const struct table *table, uint32_t index, size_t columns)
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

static void choose_rows(struct table *table)
{
    const struct options *options = table->report->options;
    size_t count;
    table->rows = tree_sorted(&table->tree, options->by_cum ? TREE_BY_CUM : TREE_BY_FLAT, &count);
    table->cutoff = cutoff_of(&table->tree, options->node_fraction);
    for (size_t i = 0; i < count; i++)
        if (value_magnitude(table->tree.nodes[table->rows[i]].cum) >= table->cutoff)
            table->rows[table->row_count++] = table->rows[i];
    table->dropped = count - table->row_count;
    if (options->limit > 0 && table->row_count > (size_t)options->limit)
        table->row_count = (size_t)options->limit;
}

static void measure(struct table *table)
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

static void table_open(struct table *table, const struct page *page, const struct report *report,
                       bool edges)
{
    const struct options *options = report->options;
    struct tree_options tree = {.granularity = options->granularity,
                                .type = report->type,
                                .fold = options->filter.skip != NULL,
                                .edges = edges,
                                .relative = options->relative,
                                .total_of_kept = options->total_of_kept,
                                .filter = report->filter};
    *table = (struct table){.page = page, .report = report};
    tree_build(&table->tree, report->shown, &tree);
    choose_rows(table);
    measure(table);
}

static void table_close(struct table *table)
{
    free(table->rows);
    tree_clear(&table->tree);
}

static void put_value(const struct table *table, int64_t value)
{
    struct number_style style = report_style(table->report);
    page_right(table->page, PAINT_PLAIN, number_text(value, &style).text, table->value_columns);
}

static void put_percent(const struct table *table, int64_t value, int64_t whole)
{
    page_right(table->page, PAINT_PLAIN, number_percent(value, whole).text, PERCENT_COLUMNS);
}

static void put_caption(const struct table *table)
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

static void put_titles(const struct table *table)
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

static void put_figures(const struct table *table, const struct tree_node *node, int64_t sum)
{
    put_value(table, node->flat);
    put_percent(table, node->flat, table->tree.total);
    put_percent(table, sum, table->tree.total);
    put_value(table, node->cum);
    put_percent(table, node->cum, table->tree.total);
}

void render_top(const struct page *page, const struct report *report)
{
    struct table table;
    table_open(&table, page, report, false);
    put_caption(&table);
    put_titles(&table);
    int64_t sum = 0;
    for (size_t i = 0; i < table.row_count; i++) {
        const struct tree_node *node = &table.tree.nodes[table.rows[i]];
        bool inlined = node->inlined && node->has_callers;
        size_t room = page->columns - table.name_column - (inlined ? sizeof " (inline)" : 0);
        sum = value_sum(sum, node->flat);
        put_figures(&table, node, sum);
        page_format(page, PAINT_BOLD, "  %s", node_name(&table, table.rows[i], room).text);
        page_put(page, PAINT_DIM, inlined ? " (inline)\n" : "\n");
    }
    table_close(&table);
}

/* Callers and callees. */

/* Edges of one node, of one direction: indexes into tree.edges. */
struct fan {
    const struct tree *tree;
    uint32_t *edges;
    size_t count;
    bool callers;
};

static int compare_edges(const void *left, const void *right, void *context)
{
    const struct fan *fan = context;
    const struct tree_edge *a = &fan->tree->edges[*(const uint32_t *)left];
    const struct tree_edge *b = &fan->tree->edges[*(const uint32_t *)right];
    int64_t x = value_magnitude(a->weight), y = value_magnitude(b->weight);
    if (x != y)
        return x < y ? 1 : -1;
    const struct tree_node *nodes = fan->tree->nodes;
    uint32_t c = fan->callers ? a->caller : a->callee, d = fan->callers ? b->caller : b->callee;
    int names = strcmp(nodes[c].name, nodes[d].name);
    return names ? names : (c > d) - (c < d);
}

static void put_fan(const struct table *table, struct fan *fan, const struct tree_node *node)
{
    qsort_r(fan->edges, fan->count, sizeof *fan->edges, compare_edges, fan);
    size_t room = table->page->columns - table->name_column - sizeof "     (inline)";
    for (size_t i = 0; i < fan->count; i++) {
        const struct tree_edge *edge = &table->tree.edges[fan->edges[i]];
        if (edge->weight == 0)
            break; /* and so are the rest: nothing changed there */
        uint32_t other = fan->callers ? edge->caller : edge->callee;
        page_spaces(table->page, table->name_column - table->value_columns - PERCENT_COLUMNS);
        put_value(table, edge->weight);
        put_percent(table, edge->weight, node->cum);
        page_format(table->page, PAINT_PLAIN, " |   %s%s\n", node_name(table, other, room).text,
                    edge->inlined ? " (inline)" : "");
    }
}

/* Edges sorted by node: first[node] up to first[node + 1] of order. */
struct edge_index {
    uint32_t *order;
    size_t *first;
};

static struct edge_index edge_index_of(const struct tree *tree, bool callers)
{
    struct edge_index index = {memory_zeroed(tree->edge_count, sizeof *index.order),
                               memory_zeroed(tree->node_count + 2, sizeof *index.first)};
    size_t *next = index.first + 1; /* becomes first[] once every edge is placed */
    for (size_t i = 0; i < tree->edge_count; i++)
        index.first[(callers ? tree->edges[i].callee : tree->edges[i].caller) + 2]++;
    for (size_t i = 2; i < tree->node_count + 2; i++)
        index.first[i] += index.first[i - 1];
    for (size_t i = 0; i < tree->edge_count; i++)
        index.order[next[callers ? tree->edges[i].callee : tree->edges[i].caller]++] = (uint32_t)i;
    return index;
}

static struct fan fan_of(const struct tree *tree, const struct edge_index *index, uint32_t node,
                         bool callers)
{
    return (struct fan){tree, index->order + index->first[node],
                        index->first[node + 1] - index->first[node], callers};
}

static void put_rule(const struct table *table)
{
    const struct page *page = table->page;
    for (size_t i = 0; i < page->columns; i++)
        page_put(page, PAINT_PLAIN, i == table->name_column + 1 ? "+" : "-");
    page_put(page, PAINT_PLAIN, "\n");
}

void render_tree(const struct page *page, const struct report *report)
{
    struct table table;
    table_open(&table, page, report, true);
    struct edge_index callers = edge_index_of(&table.tree, true);
    struct edge_index callees = edge_index_of(&table.tree, false);
    int64_t sum = 0;
    put_caption(&table);
    put_titles(&table);
    for (size_t i = 0; i < table.row_count; i++) {
        uint32_t row = table.rows[i];
        const struct tree_node *node = &table.tree.nodes[row];
        struct fan in = fan_of(&table.tree, &callers, row, true);
        struct fan out = fan_of(&table.tree, &callees, row, false);
        put_rule(&table);
        put_fan(&table, &in, node);
        sum = value_sum(sum, node->flat);
        put_figures(&table, node, sum);
        page_put(page, PAINT_PLAIN, "   | ");
        size_t room = page->columns - table.name_column - 5;
        page_format(page, PAINT_BOLD, "%s\n", node_name(&table, row, room).text);
        put_fan(&table, &out, node);
    }
    free(callers.order);
    free(callers.first);
    free(callees.order);
    free(callees.first);
    table_close(&table);
}

/* Stacks. */

static void put_labels(const struct table *table, const struct sample *sample)
{
    const struct page *page = table->page;
    for (size_t i = 0; i < sample->label_count; i++) {
        const struct label *label = &sample->labels[i];
        page_right(page, PAINT_DIM, name_plain(label->key).text, table->value_columns);
        if (label->text)
            page_format(page, PAINT_PLAIN, ":  %s\n", name_plain(label->text).text);
        else
            page_format(page, PAINT_PLAIN, ":  %lld %s\n", (long long)label->number,
                        name_plain(label->unit).text);
    }
}

/* In the way of a label. */
static void put_interval(const struct table *table, const struct sample *sample)
{
    struct estimate estimate = estimate_of(table->tree.profile, table->report->type);
    double variance = estimate_variance(&estimate, sample);
    struct interval_text interval =
        report_interval(table->report, sample->values[table->report->type], variance);
    if (!interval.text[0])
        return;
    page_right(table->page, PAINT_DIM, "estimate", table->value_columns);
    page_format(table->page, PAINT_PLAIN, ": %s\n", interval.text);
}

static void put_frame(const struct page *page, const struct tree_frame *frame)
{
    if (!frame->function) {
        page_format(page, PAINT_PLAIN, "   0x%llx\n", (unsigned long long)frame->location->address);
        return;
    }
    page_format(page, PAINT_PLAIN, "   %s", name_text(frame->function->name).text);
    if (frame->function->filename[0])
        page_format(page, PAINT_DIM, "  %s:%lld", name_plain(frame->function->filename).text,
                    (long long)frame->line->line);
    page_put(page, PAINT_DIM, frame->inlined ? " (inline)\n" : "\n");
}

static void put_trace(const struct table *table, size_t index)
{
    const struct page *page = table->page;
    const struct sample *sample = &table->tree.profile->samples[index];
    put_rule(table);
    put_labels(table, sample);
    put_interval(table, sample);
    put_value(table, sample->values[table->report->type]);
    struct tree_walk walk = tree_walk_begin(&table->tree, index);
    bool first = true;
    for (struct tree_frame frame; tree_walk_next(&walk, &frame); first = false) {
        if (!first)
            page_spaces(page, table->value_columns);
        put_frame(page, &frame);
    }
    if (first)
        page_put(page, PAINT_PLAIN, "   (no stack)\n");
}

struct trace {
    size_t sample;
    int64_t magnitude;
};

static int compare_traces(const void *left, const void *right)
{
    const struct trace *a = left, *b = right;
    if (a->magnitude != b->magnitude)
        return a->magnitude < b->magnitude ? 1 : -1;
    return (a->sample > b->sample) - (a->sample < b->sample);
}

void render_traces(const struct page *page, const struct report *report)
{
    struct table table;
    table_open(&table, page, report, false);
    const struct profile *profile = report->shown;
    struct trace *traces = memory_zeroed(profile->sample_count, sizeof *traces);
    size_t count = 0;
    for (size_t i = 0; i < profile->sample_count; i++) {
        int64_t value = profile->samples[i].values[report->type];
        if (value != 0 && filter_keeps(report->filter, &profile->samples[i]))
            traces[count++] = (struct trace){i, value_magnitude(value)};
    }
    qsort(traces, count, sizeof *traces, compare_traces);
    if (report->options->limit > 0 && count > (size_t)report->options->limit)
        count = (size_t)report->options->limit;
    page_put(page, PAINT_PLAIN, "\n");
    for (size_t i = 0; i < count; i++)
        put_trace(&table, traces[i].sample);
    put_rule(&table);
    free(traces);
    table_close(&table);
}
