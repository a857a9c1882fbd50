#include "range_list.h"

#include "preload/ground/sys.h"

#include <string.h>
#include <sys/auxv.h>

enum { SPARE = 256 /* that come in between counting and copying */ };

/* What a program gets from sbrk() ends inside a page. The page is the first one's, of two neighbours; where the other
   one is the allocator's, it is the heap's. */
static void put(const struct range_piece *piece, void *context)
{
    struct range_list *list = context;
    uintptr_t page = getauxval(AT_PAGESZ), start = (piece->start + page - 1) & -page;
    uintptr_t end = piece->end & -page;
    bool neighbours = list->end == piece->start;
    list->end = piece->end;
    if (neighbours && list->count > 0 && list->count <= list->room)
        list->pieces[list->count - 1].end = start;
    if (start >= end)
        return;
    if (list->count < list->room)
        list->pieces[list->count] = (struct range_piece){
            .start = start, .end = end, .site = piece->site, .first = piece->first};
    list->count++;
}

bool range_list_open(struct range_list *list)
{
    *list = (struct range_list){0};
    range_each(put, list);
    list->room = list->count + list->count / 8 + SPARE;
    list->count = 0;
    list->pieces = sys_pages(list->room * sizeof(*list->pieces));
    if (!list->pieces)
        return false;
    memset(list->pieces, 1, list->room * sizeof(*list->pieces)); /* resident from now on */
    return true;
}

void range_list_copy(struct range_list *list)
{
    list->count = list->end = 0;
    range_each(put, list);
    if (list->count > list->room)
        list->count = list->room;
}

void range_list_free(struct range_list *list)
{
    if (list->pieces)
        sys_pages_free(list->pieces, list->room * sizeof(*list->pieces));
    *list = (struct range_list){0};
}
