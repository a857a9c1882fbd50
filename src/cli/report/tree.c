#include "tree.h"

#include "cli/ground/memory.h"
#include "cli/ground/value.h"
#include "cli/profile/estimate.h"
#include "cli/profile/token_table.h"
#include "format/pprof.h"

#include <stdlib.h>

enum { KINDS_KNOWN_MAX = 4 }; /* malloc, mmap, none, and one that may come; others are looked up */

/* While a tree is built: names of nodes and edges. */
struct builder {
    struct tree *tree;
    struct token_table texts, kinds, nodes, edges;
    size_t *first_line;               /* of each location, lines counted through the profile */
    uint32_t *known[KINDS_KNOWN_MAX]; /* by kind, then line: its node + 1; 0: not looked up yet */
    struct frame_ref *path;           /* of the sample at hand, leaf first */
    size_t path_count, path_capacity;
};

struct frame_ref {
    uint32_t node;
    bool inlined;
};

/* What tells nodes apart; compared byte by byte, so there is no padding. */
struct node_key {
    uint32_t name, file, kind, reserved;
    int64_t line;
    uint64_t address;
};

/* Nodes. */

static const char *kind_of(const struct tree *tree, const struct sample *sample)
{
    const char *kind = NULL;
    if (tree->options.split_kinds)
        kind = sample_label(sample, PPROF_LABEL_MEM_KIND);
    return kind ? kind : "";
}

/* Leaves in `node` what its granularity tells apart. */
static struct tree_node describe(const struct tree *tree, const struct tree_frame *frame)
{
    struct tree_node node = {.name = "", .filename = "", .kind = "", .first_sample = TREE_NONE};
    enum granularity granularity = tree->options.granularity;
    const struct function *function = frame->function;
    node.heaviest = TREE_NONE;
    node.inlined = true;
    if (function && granularity != GRANULARITY_FILES)
        node.name = function->name;
    if (function && granularity != GRANULARITY_FUNCTIONS)
        node.filename = function->filename;
    if (function && (granularity == GRANULARITY_LINES || granularity == GRANULARITY_ADDRESSES))
        node.line = frame->line->line;
    if (granularity == GRANULARITY_ADDRESSES || !function)
        node.address = frame->location->address;
    return node;
}

static uint32_t intern_node(struct builder *builder, const struct tree_frame *frame,
                            const char *kind)
{
    struct tree *tree = builder->tree;
    struct tree_node node = describe(tree, frame);
    node.kind = kind;
    struct node_key key = {
        .kind = token_of_text(&builder->texts, kind), .line = node.line, .address = node.address};
    key.name = token_of_text(&builder->texts, node.name);
    key.file = token_of_text(&builder->texts, node.filename);
    bool is_new;
    uint32_t index = token_of(&builder->nodes, &key, sizeof key, &is_new);
    if (is_new) {
        tree->nodes =
            memory_grown(tree->nodes, tree->node_count, &tree->node_capacity, sizeof *tree->nodes);
        tree->nodes[tree->node_count++] = node;
    }
    return index;
}

/* The node of a frame by its place in the profile: the same frames come again and again. */
static uint32_t node_of(struct builder *builder, const struct tree_frame *frame, const char *kind)
{
    const struct profile *profile = builder->tree->profile;
    uint32_t kind_token = token_of_text(&builder->kinds, kind);
    if (kind_token >= KINDS_KNOWN_MAX)
        return intern_node(builder, frame, kind);
    uint32_t **known = &builder->known[kind_token];
    if (!*known)
        *known = memory_zeroed(builder->first_line[profile->location_count], sizeof **known);
    size_t place = builder->first_line[frame->location - profile->locations];
    if (frame->line)
        place += (size_t)(frame->line - frame->location->lines);
    if ((*known)[place] == 0)
        (*known)[place] = intern_node(builder, frame, kind) + 1;
    return (*known)[place] - 1;
}

static void number_lines(struct builder *builder)
{
    const struct profile *profile = builder->tree->profile;
    builder->first_line = memory_zeroed(profile->location_count + 1, sizeof *builder->first_line);
    for (size_t i = 0; i < profile->location_count; i++) {
        size_t count = profile->locations[i].line_count;
        builder->first_line[i + 1] = builder->first_line[i] + (count ? count : 1);
    }
}

static void add_cum(struct tree_node *node, size_t index, int64_t value, int64_t base)
{
    if (node->last_seen == index + 1)
        return;
    node->last_seen = (uint32_t)index + 1;
    node->cum = value_sum(node->cum, value);
    node->cum_base = value_sum(node->cum_base, base);
}

static void add_flat(struct tree *tree, uint32_t at, size_t index, int64_t value, int64_t base)
{
    struct tree_node *node = &tree->nodes[at];
    const struct sample *samples = tree->profile->samples;
    int type = tree->options.type;
    node->flat = value_sum(node->flat, value);
    node->flat_base = value_sum(node->flat_base, base);
    node->samples++;
    tree->next_sample[index] = node->first_sample;
    node->first_sample = (uint32_t)index;
    if (node->heaviest == TREE_NONE ||
        value_magnitude(value) > value_magnitude(samples[node->heaviest].values[type]))
        node->heaviest = (uint32_t)index;
}

/* Edges. */

static void add_edge(struct builder *builder, struct tree_edge edge, size_t index)
{
    struct tree *tree = builder->tree;
    uint32_t key[] = {edge.caller, edge.callee};
    bool is_new;
    uint32_t at = token_of(&builder->edges, key, sizeof key, &is_new);
    if (is_new) {
        tree->edges =
            memory_grown(tree->edges, tree->edge_count, &tree->edge_capacity, sizeof *tree->edges);
        tree->edges[tree->edge_count++] = (struct tree_edge){edge.caller, edge.callee, 0, true, 0};
    }
    struct tree_edge *into = &tree->edges[at];
    if (into->last_seen == index + 1)
        return;
    into->last_seen = (uint32_t)index + 1;
    into->weight = value_sum(into->weight, edge.weight);
    into->inlined &= edge.inlined;
}

/* Samples. */

static void collect_path(struct builder *builder, size_t index)
{
    struct tree *tree = builder->tree;
    const char *kind = kind_of(tree, &tree->profile->samples[index]);
    struct tree_walk walk = tree_walk_begin(tree, index);
    builder->path_count = 0;
    for (struct tree_frame frame; tree_walk_next(&walk, &frame);) {
        builder->path = memory_grown(builder->path, builder->path_count, &builder->path_capacity,
                                     sizeof *builder->path);
        builder->path[builder->path_count++] =
            (struct frame_ref){node_of(builder, &frame, kind), frame.inlined};
    }
}

static void add_path(struct builder *builder, size_t index, int64_t value, int64_t base)
{
    struct tree *tree = builder->tree;
    for (size_t i = builder->path_count; i-- > 0;) {
        struct frame_ref *frame = &builder->path[i];
        struct tree_node *node = &tree->nodes[frame->node];
        add_cum(node, index, value, base);
        if (i + 1 == builder->path_count)
            continue;
        node->has_callers = true;
        node->inlined &= frame->inlined;
        uint32_t caller = builder->path[i + 1].node;
        if (tree->options.edges && caller != frame->node)
            add_edge(builder, (struct tree_edge){caller, frame->node, value, frame->inlined, 0},
                     index);
    }
    if (builder->path_count > 0)
        add_flat(tree, builder->path[0].node, index, value, base);
}

static void add_sample(struct builder *builder, size_t index)
{
    struct tree *tree = builder->tree;
    const struct sample *sample = &tree->profile->samples[index];
    int type = tree->options.type;
    int64_t value = sample->values[type], base = sample->base ? sample->base[type] : 0;
    bool kept = !tree->options.filter || filter_keeps(tree->options.filter, sample);
    if (kept || !tree->options.total_of_kept)
        tree->total =
            value_sum(tree->total, value_magnitude(tree->options.relative ? base : value));
    if (!kept)
        return;
    tree->kept = value_sum(tree->kept, value);
    if (value == 0 && base == 0)
        return;
    tree->leaves[index] = tree_walk_leaf(tree, index);
    collect_path(builder, index);
    add_path(builder, index, value, base);
}

void tree_build(struct tree *tree, const struct profile *profile,
                const struct tree_options *options)
{
    *tree = (struct tree){.profile = profile, .options = *options};
    tree->leaves = memory_zeroed(profile->sample_count, sizeof *tree->leaves);
    tree->next_sample = memory_zeroed(profile->sample_count, sizeof *tree->next_sample);
    struct builder builder = {.tree = tree};
    number_lines(&builder);
    for (size_t i = 0; i < profile->sample_count; i++)
        add_sample(&builder, i);
    free(builder.path);
    free(builder.first_line);
    for (size_t i = 0; i < KINDS_KNOWN_MAX; i++)
        free(builder.known[i]);
    token_table_clear(&builder.kinds);
    token_table_clear(&builder.texts);
    token_table_clear(&builder.nodes);
    token_table_clear(&builder.edges);
}

void tree_clear(struct tree *tree)
{
    free(tree->nodes);
    free(tree->edges);
    free(tree->leaves);
    free(tree->next_sample);
    *tree = (struct tree){0};
}

double tree_node_variance(const struct tree *tree, const struct tree_node *node)
{
    struct estimate estimate = estimate_of(tree->profile, tree->options.type);
    double sum = 0;
    for (uint32_t i = node->first_sample; i != TREE_NONE; i = tree->next_sample[i])
        sum += estimate_variance(&estimate, &tree->profile->samples[i]);
    return sum;
}

double tree_kept_variance(const struct tree *tree)
{
    struct estimate estimate = estimate_of(tree->profile, tree->options.type);
    double sum = 0;
    for (size_t i = 0; i < tree->profile->sample_count; i++) {
        const struct sample *sample = &tree->profile->samples[i];
        if (!tree->options.filter || filter_keeps(tree->options.filter, sample))
            sum += estimate_variance(&estimate, sample);
    }
    return sum;
}
