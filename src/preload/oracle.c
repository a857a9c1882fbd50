#include "oracle.h"

#include "arena.h"
#include "guard.h"
#include "options.h"
#include "sys.h"

#include <string.h>

void oracle_init(void)
{
    if (options.unwind == OPTIONS_UNWIND_RULES || unwind_reference_open())
        return;
    options.unwind = OPTIONS_UNWIND_RULES;
    sys_say("unwind: libunwind.so.8 cannot be loaded; stacks by heapdiff's own rules");
}

static bool capture_equal(const struct capture *a, const struct capture *b)
{
    return a->depth == b->depth && a->ended == b->ended &&
           memcmp(a->pcs, b->pcs, a->depth * sizeof(a->pcs[0])) == 0;
}

/* libunwind maps memory for itself: not an event that was missed. */
static bool reference_capture(struct capture *capture, const struct unwind_start *start)
{
    uint32_t before = guard_thread.state;
    guard_set(GUARD_CALLING);
    bool taken = unwind_reference(capture, start);
    guard_set(before);
    return taken;
}

static void check(const struct capture *capture, const struct unwind_start *start)
{
    struct capture reference;
    if (!reference_capture(&reference, start))
        return;
    __atomic_fetch_add(&arena.header->unwind_checked, 1, __ATOMIC_RELAXED);
    if (!capture_equal(capture, &reference))
        __atomic_fetch_add(&arena.header->unwind_differences, 1, __ATOMIC_RELAXED);
}

/* Out of line: the usual way needs none of this room on the stack. */
static __attribute__((noinline)) void capture_otherwise(struct capture *capture,
                                                        const struct unwind_start *start,
                                                        uintptr_t stack_top)
{
    if (options.unwind == OPTIONS_UNWIND_LIBUNWIND && reference_capture(capture, start))
        return;
    unwind_capture(capture, start, stack_top);
    if (options.unwind == OPTIONS_UNWIND_CHECK)
        check(capture, start);
}

void oracle_capture(struct capture *capture, const struct unwind_start *start, uintptr_t stack_top)
{
    if (__builtin_expect(options.unwind == OPTIONS_UNWIND_RULES, true))
        unwind_capture(capture, start, stack_top);
    else
        capture_otherwise(capture, start, stack_top);
}
