/*
 * name_pattern.h - the out= pattern, as the command needs it.
 *
 * What it is: %n name, %p pid, %c counter, %h host, %t time in seconds, %% itself: put together to one
 *   name, or searched for with the changing parts left open.
 * Owns: nothing. Context: cli. Not here: the preload's own naming (preload/views/pattern.h).
 */
#ifndef HEAPDIFF_CLI_NAME_PATTERN_H
#define HEAPDIFF_CLI_NAME_PATTERN_H

#include "path_list.h"

#include <stdbool.h>
#include <stdint.h>

/* A NULL text or a zero pid is any in a search; counter and time always are. */
struct name_values {
    const char *program, *host;
    int pid;
    uint64_t counter, time_s;
};

/* The name for these values, malloc'd. */
char *name_pattern_expand(const char *pattern, const struct name_values *values);

/* The same without a name that exists yet: the counter is raised until then. A pattern without %c
   gives its one name. */
char *name_pattern_free_name(const char *pattern, const struct name_values *values);

/* Adds the files that fit, below `root` ("": as seen from here). */
void name_pattern_search(struct path_list *list, const char *root, const char *pattern,
                         const struct name_values *values);

/* True when no field of the pattern changes from file to file. */
bool name_pattern_is_fixed(const char *pattern);

/* `text` with its '%' doubled, malloc'd: a part of a pattern that is to be taken as it is. */
char *name_pattern_quote(const char *text);

#endif
