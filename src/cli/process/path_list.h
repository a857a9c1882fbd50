/*
 * path_list.h - a list of paths. Owns: its strings. Context: cli. Not here: finding them.
 */
#ifndef HEAPDIFF_CLI_PATH_LIST_H
#define HEAPDIFF_CLI_PATH_LIST_H

#include <stddef.h>

struct path_list {
    char **paths;
    size_t count, capacity;
};

/* Adds a copy of `path`. */
void path_list_add(struct path_list *list, const char *path);
void path_list_free(struct path_list *list);

#endif
