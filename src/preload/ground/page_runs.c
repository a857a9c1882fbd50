#include "page_runs.h"

static void put_byte(struct page_runs *runs, unsigned char byte)
{
    if (runs->used_bytes < runs->room_bytes)
        runs->bytes[runs->used_bytes] = byte;
    runs->used_bytes++;
}

/* Seven bits a byte, the lowest first. */
static void put_number(struct page_runs *runs, uint64_t number)
{
    for (; number > 0x7f; number >>= 7)
        put_byte(runs, (unsigned char)(number | 0x80));
    put_byte(runs, (unsigned char)number);
}

static uint64_t read_number(const unsigned char *bytes, size_t *at)
{
    uint64_t number = 0;
    for (unsigned shift = 0;; shift += 7) {
        unsigned char byte = bytes[(*at)++];
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return number;
    }
}

static void runs_flush(struct page_runs *runs)
{
    const struct page_run *run = &runs->run;
    if (run->start == run->end)
        return;
    put_number(runs, run->start - runs->last);
    put_number(runs, (run->end - run->start - 1) << PAGE_RUN_FLAG_BITS | run->flags);
    runs->last = run->end;
    runs->count++;
}

void page_runs_put(struct page_runs *runs, const struct page_run *run)
{
    if (run->start == runs->run.end && run->flags == runs->run.flags) {
        runs->run.end = run->end;
        return;
    }
    runs_flush(runs);
    runs->run = *run;
}

bool page_runs_finish(struct page_runs *runs)
{
    runs_flush(runs);
    runs->run = (struct page_run){0};
    return runs->used_bytes <= runs->room_bytes;
}

bool page_runs_next(const struct page_runs *runs, struct page_runs_cursor *cursor,
                    struct page_run *run)
{
    if (cursor->at >= runs->used_bytes || runs->used_bytes > runs->room_bytes)
        return false;
    run->start = cursor->last + read_number(runs->bytes, &cursor->at);
    uint64_t packed = read_number(runs->bytes, &cursor->at);
    run->end = run->start + (packed >> PAGE_RUN_FLAG_BITS) + 1;
    run->flags = packed & ((1 << PAGE_RUN_FLAG_BITS) - 1);
    cursor->last = run->end;
    return true;
}
