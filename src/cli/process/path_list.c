#include "path_list.h"

#include "cli/ground/memory.h"

#include <stdlib.h>

void path_list_add(struct path_list *list, const char *path)
{
    list->paths = memory_grown(list->paths, list->count, &list->capacity, sizeof(*list->paths));
    list->paths[list->count++] = memory_format("%s", path);
}

void path_list_free(struct path_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (struct path_list){0};
}
