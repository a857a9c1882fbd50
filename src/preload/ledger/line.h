/*
 * line.h - the ledger's lines of no site, while they are being added up.
 *
 * What it is: one line for each category and leaf frame: files by path and kind of page, stacks by thread name.
 *   What makes up a name is kept apart until all is counted.
 * Owns: the table's memory. Subjects stay the caller's, and must outlive the table.
 * Context: line_open() and line_close() where sys_pages() may be called; the others anywhere.
 * Not here: which page belongs to which line (label.h).
 */
#ifndef HEAPDIFF_PRELOAD_LINE_H
#define HEAPDIFF_PRELOAD_LINE_H

#include "format/ledger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a line is of, and so how its subject becomes a leaf frame. */
enum line_kind {
    LINE_OTHER, /* unattributed; the subject as it is, as for all that say nothing else */
    LINE_METADATA,
    LINE_OWN,
    LINE_KERNEL,
    LINE_TEXT,    /* [file: SUBJECT text] */
    LINE_RODATA,  /* [file: SUBJECT rodata] */
    LINE_DATA,    /* [file: SUBJECT data] */
    LINE_PRIVATE, /* [file: SUBJECT private dirty] */
    LINE_SHARED,  /* [file: SUBJECT shared] */
    LINE_BSS,     /* [data: SUBJECT bss] */
    LINE_LOADER,  /* [data: SUBJECT] */
    LINE_STACK,   /* [stack: SUBJECT] */
    LINE_THREAD,  /* [stack: thread SUBJECT] */
    LINE_KINDS
};

enum { LINE_ROOM = 8192 /* more files than this have one line */ };

struct line {
    const char *subject; /* "": the category's root frame alone */
    uint64_t bytes;
    enum line_kind kind;
};

struct line_table {
    struct line *lines; /* LINE_ROOM; 0 is LINE_OTHER without a subject, and what finds no room */
    uint32_t count;
    uint32_t *slots;     /* number of line + 1 */
    uint32_t slot_count; /* twice as many as lines, or more */
    void *names;         /* of line_finish() */
    size_t names_bytes;
};

/* False when memory is out. */
bool line_open(struct line_table *table);

/* The line's number, made if need be. */
uint32_t line_find(struct line_table *table, enum line_kind kind, const char *subject);

static inline void line_add(struct line_table *table, uint32_t line, uint64_t bytes)
{
    table->lines[line].bytes += bytes;
}

/* Makes the lines that are not 0 a ledger's, which is valid until line_close(). False when memory is out: it has none. */
bool line_finish(struct line_table *table, struct ledger *ledger);

void line_close(struct line_table *table);

#endif
