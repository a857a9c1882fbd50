/* The preload's side of include/heapdiff.h. */
#include "collection.h"
#include "growth.h"
#include "hook.h"
#include "process.h"

#include "heapdiff.h"

#include <errno.h>

/* A forked child's first event may be a call of these. */
static bool api_enter(void)
{
    if (hook_enter())
        guard_leave();
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
    if (guard_thread.state ==
        GUARD_RECORDING) { /* a handler that interrupted us: later, by pattern */
        __atomic_fetch_or(&guard_thread.wanted, GUARD_WANT_SNAPSHOT, __ATOMIC_RELAXED);
        return EAGAIN;
    }
    return growth_snapshot("api", path);
}

HOOK int heapdiff_preload_mark_collection(const char *reason)
{
    (void)reason; /* kept with the history of collections, which is not kept yet */
    if (!api_enter())
        return ENOSYS;
    if (guard_thread.state == GUARD_RECORDING)
        return EAGAIN;
    collection_mark();
    return 0;
}

HOOK void heapdiff_preload_pause(void)
{
    guard_thread.paused++;
}

HOOK void heapdiff_preload_resume(void)
{
    if (guard_thread.paused > 0)
        guard_thread.paused--;
}
