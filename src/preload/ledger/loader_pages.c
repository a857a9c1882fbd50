#include "loader_pages.h"

#include "preload/ground/module_list.h"
#include "preload/ground/order.h"
#include "preload/ground/peek.h"
#include "preload/ground/sys.h"

#include <assert.h>
#include <sys/auxv.h>

enum {
    OBJECTS_MAX = 16384, /* the list may lead in a circle while it is changed */
    PAGES_EACH = 3,      /* of one object: its description lies on two at most, its name on one */
    ROOM_FIRST = 384,    /* most programs have fewer than 128 objects */
    TABLE_BYTES = 4096,  /* of a page, looked at */
    TABLE_HITS = 2,      /* one word may be another's pointer, or chance */
    HASH_SHIFT = 64 - 12 /* to a bit of the hints */
};

static_assert(1 << (64 - HASH_SHIFT) == LOADER_PAGES_HINTS * 64, "each hash has a bit");

static unsigned hint_of(uint64_t word)
{
    return (unsigned)((word * 0x9e3779b97f4a7c15ull) >> HASH_SHIFT);
}

static void put(struct loader_pages *list, const void *at)
{
    if (list->count < list->room)
        list->pages[list->count] = (uint64_t)at & -(uint64_t)getauxval(AT_PAGESZ);
    list->count++;
}

static void put_all(struct loader_pages *list)
{
    unsigned objects = 0;
    list->count = list->map_count = 0;
    for (const struct link_map *map = module_list_first(); map && objects < OBJECTS_MAX;
         map = module_list_next(map)) {
        put(list, map);
        put(list, (const char *)(map + 1) - 1);
        put(list, map->l_name);
        if (list->map_count < list->room / PAGES_EACH)
            list->maps[list->map_count++] = (uint64_t)map;
        objects++;
    }
}

static size_t list_bytes(const struct loader_pages *list)
{
    return (list->room + list->room / PAGES_EACH) * sizeof(*list->pages);
}

static bool make_room(struct loader_pages *list, size_t room)
{
    list->room = room;
    list->pages = sys_pages(list_bytes(list));
    if (!list->pages)
        list->room = 0;
    list->maps = list->pages ? list->pages + room : NULL;
    return list->pages != NULL;
}

void loader_pages_gather(struct loader_pages *list)
{
    *list = (struct loader_pages){0};
    if (!make_room(list, ROOM_FIRST))
        return;
    put_all(list);
    if (list->count > list->room) {
        size_t wanted = list->count;
        loader_pages_free(list);
        if (!make_room(list, wanted))
            return;
        put_all(list);
    }
    if (list->count > list->room) /* of those that have come meanwhile none is early */
        list->count = list->room;
    order(list->pages, list->count, sizeof(*list->pages));
    order(list->maps, list->map_count, sizeof(*list->maps));
    for (size_t i = 0; i < list->map_count; i++) {
        unsigned hint = hint_of(list->maps[i]);
        list->hints[hint / 64] |= 1ull << hint % 64;
    }
}

/* False for most of what is none. */
static bool may_be_map(const struct loader_pages *list, uint64_t word)
{
    unsigned hint = hint_of(word);
    return list->hints[hint / 64] >> hint % 64 & 1;
}

static bool is_map(const struct loader_pages *list, uint64_t word)
{
    size_t low = 0, high = list->map_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->maps[middle] < word)
            low = middle + 1;
        else
            high = middle;
    }
    return low < list->map_count && list->maps[low] == word;
}

bool loader_pages_is_table(const struct loader_pages *list, uint64_t page)
{
    uint64_t words[TABLE_BYTES / sizeof(uint64_t)];
    unsigned hits = 0;
    if (list->map_count == 0 || !peek(page, words, sizeof(words)))
        return false;
    uint64_t low = list->maps[0], span = list->maps[list->map_count - 1] - low;
    for (size_t i = 0; i < TABLE_BYTES / sizeof(*words); i++) {
        if (__builtin_expect(words[i] - low > span, 1)) /* most words are 0, or small */
            continue;
        hits += may_be_map(list, words[i]) && is_map(list, words[i]);
        if (hits == TABLE_HITS)
            return true;
    }
    return false;
}

void loader_pages_free(struct loader_pages *list)
{
    if (list->pages)
        sys_pages_free(list->pages, list_bytes(list));
    *list = (struct loader_pages){0};
}
