/* The preload's side of include/heapdiff.h. */
#include "hook.h"
#include "process.h"
#include "preload/ground/permit.h"
#include "preload/views/collection.h"
#include "preload/views/growth.h"

#include "heapdiff.h"

#include <errno.h>

/* A forked child's first event may be a call of these. */
static bool api_enter(void)
{
    struct guard_thread *own = hook_enter();
    if (own) {
        guard_record(own);
        guard_leave(own);
    }
    return process_is_ours();
}

HOOK int heapdiff_preload_enabled(void)
{
    return api_enter();
}

HOOK int heapdiff_preload_snapshot(const char *path)
{
    if (!api_enter())
        return ENOSYS;
    /* A handler that interrupted us, or a stopped world: later, by pattern. */
    if (guard_state() == GUARD_RECORDING || guard_is_apart()) {
        guard_want(GUARD_WANT_SNAPSHOT);
        return EAGAIN;
    }
    return growth_snapshot("api", path);
}

HOOK int heapdiff_preload_mark_collection(const char *reason)
{
    if (!api_enter())
        return ENOSYS;
    /* A handler that interrupted us: later, without its words. */
    if (guard_state() == GUARD_RECORDING || guard_is_apart()) {
        guard_want(GUARD_WANT_MARK);
        return EAGAIN;
    }
    if (!permit_has(PERMIT_FILES))
        return EPERM;
    const struct collection_event event = {.source = "api", .reason = reason};
    collection_mark(&event);
    return 0;
}

HOOK void heapdiff_preload_pause(void)
{
    guard_self()->paused++;
    guard_choose();
}

HOOK void heapdiff_preload_resume(void)
{
    if (guard_self()->paused > 0)
        guard_self()->paused--;
    guard_choose();
}
