#include "trim.h"

enum {
    /* A free chunk begins with the last word of the block before it, and its header has six words. */
    TRIM_AFTER_BLOCK = 48 - 8,
    TRIM_HEADER = 16 /* of a block in use, before it */
};

void trim_enter(struct trim *trim, uint64_t heap, bool top)
{
    if (trim->heap == heap)
        return;
    if (trim->heap != 0 && trim->top)
        trim->bytes += trim->pending_bytes;
    trim->heap = heap;
    trim->top = top;
    trim->pending_bytes = trim->pending_end = trim->free_from = 0;
}

static void put_free(struct trim *trim, uint64_t start, uint64_t end)
{
    uint64_t from = (trim->free_from + trim->page_bytes - 1) & -trim->page_bytes;
    if (end <= from)
        return;
    trim->pending_bytes += end - (start > from ? start : from);
    trim->pending_end = end;
}

static void put_used(struct trim *trim, uint64_t start, uint64_t usable_end)
{
    if (trim->pending_bytes > 0 && start - trim->pending_end < TRIM_HEADER)
        trim->pending_bytes -= trim->page_bytes;
    trim->bytes += trim->pending_bytes;
    trim->pending_bytes = 0;
    if (usable_end + TRIM_AFTER_BLOCK > trim->free_from)
        trim->free_from = usable_end + TRIM_AFTER_BLOCK;
}

void trim_free(struct trim *trim, uint64_t start, uint64_t end)
{
    if (trim->heap == 0)
        return;
    for (; trim->cached_count > 0 && trim->cached->start < end; trim->cached++) {
        uint64_t page = trim->cached->start & -trim->page_bytes;
        if (page > start)
            put_free(trim, start, page);
        put_used(trim, trim->cached->start, trim->cached->usable_end);
        start = page + trim->page_bytes > start ? page + trim->page_bytes : start;
        trim->cached_count--;
    }
    if (start < end)
        put_free(trim, start, end);
}

void trim_live(struct trim *trim, uint64_t start, uint64_t usable_end)
{
    if (trim->heap == 0)
        return;
    for (; trim->cached_count > 0 && trim->cached->start < start; trim->cached++) {
        put_used(trim, trim->cached->start, trim->cached->usable_end);
        trim->cached_count--;
    }
    put_used(trim, start, usable_end);
}
