#include "aside.h"

#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/ground/spin.h"
#include "preload/tables/range.h"
#include "tracker_range.h"

#include <stdint.h>

enum { SPANS_MAX = 512 }; /* a collector maps some dozens while threads are stopped */

struct span {
    uintptr_t start, end;
};

static struct {
    uint32_t owner; /* spin_self() of the thread; 0: nobody; atomic */
    uint32_t count;
    struct span spans[SPANS_MAX];
} aside;

static bool is_mine(void)
{
    return guard_self()->apart && __atomic_load_n(&aside.owner, __ATOMIC_RELAXED) == spin_self();
}

static void lost(void)
{
    if (guard_counts())
        arena_lost(&arena.header->lost.nested_events);
}

void aside_begin(void)
{
    uint32_t nobody = 0;
    if (__atomic_compare_exchange_n(&aside.owner, &nobody, spin_self(), false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
        aside.count = 0;
}

static bool add(uintptr_t start, uintptr_t end)
{
    if (start >= end)
        return true;
    if (aside.count == SPANS_MAX)
        return false;
    aside.spans[aside.count++] = (struct span){start, end};
    return true;
}

bool aside_map(void *start, size_t bytes)
{
    return is_mine() && add((uintptr_t)start, (uintptr_t)start + bytes);
}

/* True: it was all within one of the notes, so that nothing else was there. */
static bool take_out(uintptr_t start, uintptr_t end)
{
    bool within = false;
    for (uint32_t i = 0; i < aside.count;) {
        struct span span = aside.spans[i];
        if (span.end <= start || end <= span.start) {
            i++;
            continue;
        }
        within |= span.start <= start && end <= span.end;
        aside.spans[i] = aside.spans[--aside.count];
        /* There is room for one; of two, as for any other, there may be none. */
        if (span.start < start)
            add(span.start, start);
        if (!add(end, span.end))
            lost();
    }
    return within;
}

bool aside_hold(void)
{
    return is_mine() && range_try_lock();
}

void aside_unmap(void *start, size_t bytes, bool held)
{
    if (!is_mine() || take_out((uintptr_t)start, (uintptr_t)start + bytes))
        return;
    if (!held || !tracker_unmap_at_once(start, bytes))
        lost();
}

void aside_release(void)
{
    range_unlock();
}

void aside_end(const struct unwind_start *from)
{
    if (__atomic_load_n(&aside.owner, __ATOMIC_RELAXED) != spin_self())
        return;
    struct guard_thread *own = guard_enter();
    for (uint32_t i = 0; i < aside.count; i++) {
        const struct span *span = &aside.spans[i];
        if (own)
            tracker_map(own, (void *)span->start, span->end - span->start, from);
        else
            lost();
    }
    if (own)
        guard_leave(own);
    __atomic_store_n(&aside.owner, 0, __ATOMIC_RELEASE);
}
