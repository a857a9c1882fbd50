#include "escape.h"

#include "collection.h"
#include "leaf.h"
#include "oracle.h"
#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/ground/module.h"
#include "preload/ground/permit.h"
#include "preload/ground/spin.h"
#include "preload/ground/sys.h"
#include "preload/tables/range.h"
#include "preload/tables/site.h"
#include "preload/tables/thread.h"
#include "preload/unwind/unwind.h"

#include <signal.h>

/* This library; start 0: not known, nothing is ever found to have escaped. */
static struct module code;

void escape_init(void)
{
    struct module own;
    if (!module_find((uint64_t)&escape_init, &own))
        return;
    code = own;
}

static bool is_ours(uint64_t pc)
{
    return pc - code.start < code.end - code.start;
}

/* On an alternate stack a walk might end at its bottom, short of what the signal interrupted. */
static bool on_alternate_stack(void)
{
    stack_t stack;
    if (!permit_has(PERMIT_SIGNALS))
        return true; /* or might be */
    return sys_failed(sys_call2(SYS_sigaltstack, 0, (long)&stack)) || stack.ss_flags & SS_ONSTACK;
}

/* Whether a frame of ours lies beyond those of the hook that is asking, or may do so. */
static bool is_inside(const struct capture *capture)
{
    uint32_t at = 0, hooks = 0;
    if (capture->ended || capture->cut)
        return true;
    while (at < capture->depth && is_ours(capture->pcs[at]))
        hooks += module_exports(&code, capture->pcs[at++] - 1);
    if (hooks >
        1) /* the function that one hook called has jumped into another one (musl's memalign) */
        return true;
    while (at < capture->depth && !is_ours(capture->pcs[at] & ~UNWIND_EXACT))
        at++;
    return at < capture->depth;
}

static void escape_leave(void)
{
    site_escape();
    thread_escape();
    collection_escape();
    if (!range_escape())
        arena_lost(&arena.header->lost.ranges);
    arena_lost(&arena.header->lost.nested_events); /* the one left */
    guard_self()->asking = false;
    guard_set(GUARD_OUTSIDE);
}

void escape_end(void)
{
    oracle_inherit(spin_self());
    escape_leave();
}

void escape_inherit(uint32_t holder)
{
    site_inherit(holder);
    oracle_inherit(holder);
    if (!range_inherit(holder))
        arena_lost(&arena.header->lost.ranges);
}

bool escape_happened(void)
{
    struct capture capture;
    const struct unwind_start start = UNWIND_HERE();
    if (code.start == 0 || guard_self()->forking || on_alternate_stack())
        return false;
    unwind_capture(&capture, &start, leaf_stack_top(start.sp));
    if (is_inside(&capture))
        return false;
    escape_leave();
    return true;
}
