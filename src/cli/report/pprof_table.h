/*
 * pprof_table.h - the rows that pprof's tables have, and their columns.
 *
 * What it is: the nodes of a report's tree in pprof's order, without those that its rules leave out, and the
 *   columns flat, flat%, sum%, cum, cum% that every row begins with.
 * Owns: its tree and rows until pprof_table_close(). Context: cli. Not here: the tables (render_pprof.c).
 */
#ifndef HEAPDIFF_CLI_PPROF_TABLE_H
#define HEAPDIFF_CLI_PPROF_TABLE_H

#include "render.h"
#include "cli/ground/name_text.h"

enum { PPROF_TABLE_PERCENT_COLUMNS = 8 };

struct pprof_table {
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

/* With `edges`: between callers and callees, too. */
void pprof_table_open(struct pprof_table *table, const struct page *page,
                      const struct report *report, bool edges);
void pprof_table_close(struct pprof_table *table);

/* As pprof prints it: function, then file:line or file as the granularity asks; in `columns`. */
struct name_text pprof_table_name(const struct pprof_table *table, uint32_t index, size_t columns);

/* What is shown of what, and the titles of the columns. */
void pprof_table_caption(const struct pprof_table *table);
void pprof_table_titles(const struct pprof_table *table);

/* All columns of a node; `sum`: of the flat values up to its row. */
void pprof_table_figures(const struct pprof_table *table, const struct tree_node *node,
                         int64_t sum);

/* One column; a line across the page. */
void pprof_table_value(const struct pprof_table *table, int64_t value);
void pprof_table_percent(const struct pprof_table *table, int64_t value, int64_t whole);
void pprof_table_rule(const struct pprof_table *table);

#endif
