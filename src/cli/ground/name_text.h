/*
 * name_text.h - function and file names as a person reads them.
 *
 * What it is: demangled names without what nobody reads (parameter lists, return types, the long
 *   spelling of std::string), template arguments folded and heads cut where room is short.
 * Owns: nothing. Context: cli. Not here: demangling (symbol.h).
 */
#ifndef HEAPDIFF_CLI_NAME_TEXT_H
#define HEAPDIFF_CLI_NAME_TEXT_H

#include <stddef.h>

enum { NAME_TEXT_BYTES = 1024 }; /* longer names are cut: no line shows that much */

struct name_text {
    char text[NAME_TEXT_BYTES];
};

/* `name` without return type and parameters, control characters replaced. */
struct name_text name_text(const char *name);

/* The same in at most `columns` columns (at least 8). */
struct name_text name_text_fitted(const char *name, size_t columns);

/* "dict.c:321", "dict.c" when `line` is 0, "" when there is no file; in at most `columns`. */
struct name_text name_place(const char *path, long long line, size_t columns);

/* Any text with control characters replaced: what comes from a file must not steer a terminal. */
struct name_text name_plain(const char *text);

/* The same in at most `columns` columns (at least 8): the tail is cut. */
struct name_text name_plain_fitted(const char *text, size_t columns);

#endif
