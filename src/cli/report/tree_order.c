/* Nodes in the order of their values, as pprof sorts them. */
#include "tree.h"

#include "cli/ground/memory.h"
#include "cli/ground/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_values(int64_t left, int64_t right)
{
    int64_t a = value_magnitude(left), b = value_magnitude(right);
    return (a < b) - (a > b);
}

/* As pprof compares names: the text of "function file:line". */
static int compare_names(const struct tree_node *a, const struct tree_node *b)
{
    char lines[2][24];
    int result = strcmp(a->name, b->name);
    if (result == 0)
        result = strcmp(a->filename, b->filename);
    if (result != 0 || a->line == b->line)
        return result;
    snprintf(lines[0], sizeof lines[0], "%lld", (long long)a->line);
    snprintf(lines[1], sizeof lines[1], "%lld", (long long)b->line);
    return strcmp(lines[0], lines[1]);
}

static int compare_nodes(const struct tree_node *a, const struct tree_node *b,
                         enum tree_order order)
{
    int flat = compare_values(a->flat, b->flat), cum = compare_values(a->cum, b->cum);
    int result = order == TREE_BY_FLAT ? flat : cum;
    if (result == 0)
        result = compare_names(a, b);
    if (result == 0)
        result = order == TREE_BY_FLAT ? cum : flat;
    if (result == 0)
        result = strcmp(a->kind, b->kind);
    return result ? result : (a->address > b->address) - (a->address < b->address);
}

struct order {
    const struct tree *tree;
    enum tree_order by;
};

static int compare_indexes(const void *left, const void *right, void *context)
{
    const struct order *order = context;
    const struct tree_node *nodes = order->tree->nodes;
    return compare_nodes(&nodes[*(const uint32_t *)left], &nodes[*(const uint32_t *)right],
                         order->by);
}

uint32_t *tree_sorted(const struct tree *tree, enum tree_order order, size_t *count)
{
    uint32_t *sorted = memory_zeroed(tree->node_count, sizeof *sorted);
    *count = 0;
    for (size_t i = 0; i < tree->node_count; i++)
        if (tree->nodes[i].flat != 0 || tree->nodes[i].cum != 0)
            sorted[(*count)++] = (uint32_t)i;
    struct order context = {tree, order};
    qsort_r(sorted, *count, sizeof *sorted, compare_indexes, &context);
    return sorted;
}
