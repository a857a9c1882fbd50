/*
 * tree.h - a profile's values added up by function, line, file or address.
 *
 * What it is: nodes with flat (own) and cum (own and callees') values and, when asked for, the edges
 *   between callers and callees, counted as pprof counts them: a node or edge once for each sample.
 * Owns: its arrays; names point into the profile. Context: cli. Not here: printing (render_*.h).
 */
#ifndef HEAPDIFF_CLI_TREE_H
#define HEAPDIFF_CLI_TREE_H

#include "filter.h"
#include "cli/profile/profile.h"

#include <stdint.h>

enum granularity {
    GRANULARITY_FUNCTIONS, /* by name, as pprof */
    GRANULARITY_SITES,     /* by name and source file */
    GRANULARITY_LINES,
    GRANULARITY_FILES,
    GRANULARITY_ADDRESSES
};

enum { TREE_NONE = UINT32_MAX };

struct tree_options {
    enum granularity granularity;
    int type;         /* index of the sample type */
    bool split_kinds; /* malloc and mmap apart (label mem_kind) */
    bool fold;        /* fold leaves over allocating functions */
    bool edges;
    bool relative;               /* percentages of the base's total */
    bool total_of_kept;          /* percentages of the kept samples' total */
    const struct filter *filter; /* marked; NULL: keep all, skip nothing */
};

struct tree_node {
    const char *name;     /* function; "" with GRANULARITY_FILES */
    const char *filename; /* "" when unknown or not asked for */
    int64_t line;
    uint64_t address;
    const char *kind; /* value of mem_kind, "" when there is none or kinds are not split */
    int64_t flat, cum;
    int64_t flat_base, cum_base;
    size_t samples;        /* whose leaf it is */
    uint32_t first_sample; /* of those; the others by tree.next_sample */
    uint32_t heaviest;     /* of those; TREE_NONE when there is none */
    bool inlined;          /* everywhere it occurs */
    bool has_callers;
    uint32_t last_seen; /* while building: sample + 1 */
};

struct tree_edge {
    uint32_t caller, callee;
    int64_t weight;
    bool inlined;
    uint32_t last_seen;
};

/* Where a sample's stack begins once folded: a location of it and a line of that. */
struct tree_leaf {
    uint32_t location, line;
};

struct tree {
    const struct profile *profile;
    struct tree_options options;
    struct tree_node *nodes;
    size_t node_count, node_capacity;
    struct tree_edge *edges;
    size_t edge_count, edge_capacity;
    struct tree_leaf *leaves; /* by sample */
    uint32_t *next_sample;    /* by sample: the next one with the same leaf node */
    int64_t total;            /* percentages are of this: sum of magnitudes */
    int64_t kept;             /* sum of the values of the samples kept */
};

void tree_build(struct tree *tree, const struct profile *profile,
                const struct tree_options *options);
void tree_clear(struct tree *tree);

enum tree_order { TREE_BY_FLAT, TREE_BY_CUM };

/* Indexes of all nodes with a value, largest magnitude first; malloc'd, *count of them. */
uint32_t *tree_sorted(const struct tree *tree, enum tree_order order, size_t *count);

/* Variances (see estimate.h) of a node's flat value and of `kept`. */
double tree_node_variance(const struct tree *tree, const struct tree_node *node);
double tree_kept_variance(const struct tree *tree);

/* Innermost first, the frames of sample `index`, its folded part left out. */
struct tree_walk {
    const struct profile *profile;
    const struct sample *sample;
    size_t location, line; /* of the next frame */
};
struct tree_frame {
    const struct location *location;
    const struct line *line;         /* NULL: the location has none */
    const struct function *function; /* NULL: likewise */
    bool inlined;                    /* into the frame that follows */
};
struct tree_walk tree_walk_begin(const struct tree *tree, size_t index);
bool tree_walk_next(struct tree_walk *walk, struct tree_frame *frame);

/* Where the stack begins: the first frame that is not an allocating function, the outermost when all are. */
struct tree_leaf tree_walk_leaf(const struct tree *tree, size_t index);

#endif
