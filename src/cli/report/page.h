/*
 * page.h - text for a person: a stream, its width, colours where they are welcome.
 *
 * Owns: nothing. Context: cli. Not here: what is written (render.h).
 */
#ifndef HEAPDIFF_CLI_PAGE_H
#define HEAPDIFF_CLI_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { PAGE_COLUMNS = 100 }; /* where the width is not known */

struct page {
    FILE *out;
    size_t columns;
    bool colour;
    bool unicode; /* more than ASCII may be drawn */
};

enum paint { PAINT_PLAIN, PAINT_BOLD, PAINT_DIM, PAINT_GROWN, PAINT_SHRUNK, PAINT_WARNING };

/* A terminal's width and, unless NO_COLOR or TERM=dumb forbid it, its colours; else plain. */
struct page page_of(FILE *out);

/* `text` in a colour. */
void page_put(const struct page *page, enum paint paint, const char *text);
void page_format(const struct page *page, enum paint paint, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* `text` aligned in a column of `columns`, in a colour; longer texts are not cut. */
void page_right(const struct page *page, enum paint paint, const char *text, size_t columns);
void page_left(const struct page *page, enum paint paint, const char *text, size_t columns);
/* Words, set in by `indent` columns, and by two more on every line that follows the first. */
void page_wrapped(const struct page *page, enum paint paint, const char *text, size_t indent);
void page_spaces(const struct page *page, size_t count);

#endif
