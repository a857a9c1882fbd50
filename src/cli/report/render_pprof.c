/* The tables that users of pprof know, with its columns and its rules for what is left out. */
#include "render.h"

#include "pprof_table.h"
#include "cli/ground/memory.h"
#include "cli/ground/value.h"

#include <stdlib.h>
#include <string.h>

void render_top(const struct page *page, const struct report *report)
{
    struct pprof_table table;
    pprof_table_open(&table, page, report, false);
    pprof_table_caption(&table);
    pprof_table_titles(&table);
    int64_t sum = 0;
    for (size_t i = 0; i < table.row_count; i++) {
        const struct tree_node *node = &table.tree.nodes[table.rows[i]];
        bool inlined = node->inlined && node->has_callers;
        size_t room = page->columns - table.name_column - (inlined ? sizeof " (inline)" : 0);
        sum = value_sum(sum, node->flat);
        pprof_table_figures(&table, node, sum);
        page_format(page, PAINT_BOLD, "  %s", pprof_table_name(&table, table.rows[i], room).text);
        page_put(page, PAINT_DIM, inlined ? " (inline)\n" : "\n");
    }
    pprof_table_close(&table);
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

static void put_fan(const struct pprof_table *table, struct fan *fan, const struct tree_node *node)
{
    qsort_r(fan->edges, fan->count, sizeof *fan->edges, compare_edges, fan);
    size_t room = table->page->columns - table->name_column - sizeof "     (inline)";
    for (size_t i = 0; i < fan->count; i++) {
        const struct tree_edge *edge = &table->tree.edges[fan->edges[i]];
        if (edge->weight == 0)
            break; /* and so are the rest: nothing changed there */
        uint32_t other = fan->callers ? edge->caller : edge->callee;
        page_spaces(table->page,
                    table->name_column - table->value_columns - PPROF_TABLE_PERCENT_COLUMNS);
        pprof_table_value(table, edge->weight);
        pprof_table_percent(table, edge->weight, node->cum);
        page_format(table->page, PAINT_PLAIN, " |   %s%s\n",
                    pprof_table_name(table, other, room).text, edge->inlined ? " (inline)" : "");
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

void render_tree(const struct page *page, const struct report *report)
{
    struct pprof_table table;
    pprof_table_open(&table, page, report, true);
    struct edge_index callers = edge_index_of(&table.tree, true);
    struct edge_index callees = edge_index_of(&table.tree, false);
    int64_t sum = 0;
    pprof_table_caption(&table);
    pprof_table_titles(&table);
    for (size_t i = 0; i < table.row_count; i++) {
        uint32_t row = table.rows[i];
        const struct tree_node *node = &table.tree.nodes[row];
        struct fan in = fan_of(&table.tree, &callers, row, true);
        struct fan out = fan_of(&table.tree, &callees, row, false);
        pprof_table_rule(&table);
        put_fan(&table, &in, node);
        sum = value_sum(sum, node->flat);
        pprof_table_figures(&table, node, sum);
        page_put(page, PAINT_PLAIN, "   | ");
        size_t room = page->columns - table.name_column - 5;
        page_format(page, PAINT_BOLD, "%s\n", pprof_table_name(&table, row, room).text);
        put_fan(&table, &out, node);
    }
    free(callers.order);
    free(callers.first);
    free(callees.order);
    free(callees.first);
    pprof_table_close(&table);
}
