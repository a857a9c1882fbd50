/*
 * site_table.h - the sites of a report as rows, worked out and measured.
 *
 * What it is: one row for each site, largest first, a text for each column that has something, and how wide
 *   the columns are beside names that can still be read.
 * Owns: its rows and its tree. Context: cli.
 * Not here: putting it on a page (render_sites.c).
 */
#ifndef HEAPDIFF_CLI_SITE_TABLE_H
#define HEAPDIFF_CLI_SITE_TABLE_H

#include "number_text.h"
#include "render.h"
#include "tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SITE_NAME_COLUMNS_MIN = 24, /* what names keep, and the places in front of them */
    SITE_PLACE_COLUMNS_MIN = 10
};

enum site_column {
    SITE_VALUE,
    SITE_INTERVAL,
    SITE_PERCENT,
    SITE_NOW,
    SITE_RESIDENT,
    SITE_PINNED,
    SITE_OBJECTS,
    SITE_KIND,
    SITE_COLUMNS
};

struct site_cell {
    char text[NUMBER_TEXT_BYTES];
};

struct site_row {
    uint32_t node;
    bool noise; /* a change that may as well be none */
    struct site_cell cells[SITE_COLUMNS];
};

struct site_table {
    const struct report *report;
    size_t columns; /* of the page */
    struct tree tree;
    struct site_row *rows;
    size_t row_count, site_count;
    size_t widths[SITE_COLUMNS]; /* 0: the column is left out */
    size_t name_column;          /* where names begin */
    int objects_type;            /* PROFILE_NONE: no such column */
    bool resident, pinned;       /* columns of the ledger */
};

/* For a page that is `columns` wide. */
void site_table_make(struct site_table *table, const struct report *report, size_t columns);
void site_table_free(struct site_table *table);

const char *site_table_title(const struct site_table *table, enum site_column column);

#endif
