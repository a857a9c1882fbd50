#include "loader_pages.h"

#include "preload/ground/module_list.h"
#include "preload/ground/order.h"
#include "preload/ground/sys.h"

#include <sys/auxv.h>

enum { OBJECTS_MAX = 16384 }; /* the list may lead in a circle while it is changed */

static void put(struct loader_pages *list, const void *at)
{
    if (list->count < list->room)
        list->pages[list->count] = (uint64_t)at & -(uint64_t)getauxval(AT_PAGESZ);
    list->count++;
}

static void put_all(struct loader_pages *list)
{
    unsigned objects = 0;
    list->count = 0;
    for (const struct link_map *map = module_list_first(); map && objects < OBJECTS_MAX;
         map = module_list_next(map)) {
        put(list, map);
        put(list, (const char *)(map + 1) - 1);
        put(list, map->l_name);
        objects++;
    }
}

void loader_pages_gather(struct loader_pages *list)
{
    *list = (struct loader_pages){0};
    put_all(list);
    list->room = list->count;
    list->pages = list->room > 0 ? sys_pages(list->room * sizeof(*list->pages)) : NULL;
    if (!list->pages) {
        *list = (struct loader_pages){0};
        return;
    }
    put_all(list);
    if (list->count > list->room) /* of those that have come meanwhile none is early */
        list->count = list->room;
    order(list->pages, list->count, sizeof(*list->pages));
}

void loader_pages_free(struct loader_pages *list)
{
    if (list->pages)
        sys_pages_free(list->pages, list->room * sizeof(*list->pages));
    *list = (struct loader_pages){0};
}
