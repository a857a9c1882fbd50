/* Where node's threads turn their event loops. All pass through. */
#include "hook.h"

#include "preload/runtime/node.h"

#include <errno.h>
#include <sys/epoll.h>

/* A thread that waits may be cancelled: nothing of ours is on its stack then. */
HOOK int epoll_wait(int poll, struct epoll_event *events, int count, int wait_ms)
{
    node_turn();
    if (real_resolve() && real.epoll_wait)
        return real.epoll_wait(poll, events, count, wait_ms);
    errno = ENOSYS;
    return -1;
}

HOOK int epoll_pwait(int poll, struct epoll_event *events, int count, int wait_ms,
                     const sigset_t *signals)
{
    node_turn();
    if (real_resolve() && real.epoll_pwait)
        return real.epoll_pwait(poll, events, count, wait_ms, signals);
    errno = ENOSYS;
    return -1;
}
