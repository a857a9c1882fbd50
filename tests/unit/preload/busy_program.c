#include "busy_program.h"

#include "preload/ground/guard.h"
#include "preload/views/tracker.h"
#include "preload/views/tracker_range.h"

#include <stddef.h>

enum { EVENTS = 6000, DEPTH_MAX = 40, PAGE = 4096 };

/* Addresses that no one else uses. */
static char *const heap = (char *)0x700000000000, *const maps = (char *)0x710000000000;

__attribute__((noinline)) static void hook(uint32_t event)
{
    struct unwind_start start = UNWIND_HERE();
    struct guard_thread *own = guard_enter();
    if (!own)
        return;
    if (event % 4 != 0) {
        tracker_alloc(own, heap + 64ull * (event % 1000), event, &start);
    } else {
        tracker_free(own, heap + 64ull * (event % 1000));
        tracker_map(own, maps + PAGE * (event % 100), 3 * PAGE, &start);
        tracker_hold(own);
        tracker_unmap(maps + PAGE * (event % 50), PAGE);
        tracker_release();
    }
    guard_leave(own);
}

/* Many different stacks: each bit of `event` chooses the next frame. */
static int go_down(uint32_t event, unsigned depth);

__attribute__((noinline)) static int go_left(uint32_t event, unsigned depth)
{
    volatile int below = go_down(event, depth);
    return below + 1;
}

__attribute__((noinline)) static int go_right(uint32_t event, unsigned depth)
{
    volatile int below = go_down(event, depth);
    return below + 2;
}

__attribute__((noinline)) static int go_down(uint32_t event, unsigned depth)
{
    if (depth > 0)
        return event >> depth % 16 & 1 ? go_left(event, depth - 1) : go_right(event, depth - 1);
    hook(event);
    return 0;
}

void busy_program_run(void)
{
    for (uint32_t event = 1; event <= EVENTS; event++)
        go_down(event, event % DEPTH_MAX);
}
