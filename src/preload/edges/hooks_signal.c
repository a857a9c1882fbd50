/* sigaction and its older kin, for the signals we share. Others are passed on untouched. */
#include "hook.h"

#include "listener.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

typedef void (*handler_fn)(int);
typedef handler_fn (*signal_fn)(int, handler_fn);

/* Not declared under every feature macro. */
handler_fn bsd_signal(int number, handler_fn handler);
handler_fn __sysv_signal(int number, handler_fn handler);

/* Whether the call is about a signal we share. */
static bool is_shared(int number)
{
    real_resolve();
    if (!listener_owns(number))
        return false;
    guard_notice(); /* a forked child's first event: another thread may have held the lock */
    return true;
}

HOOK int sigaction(int number, const struct sigaction *act, struct sigaction *old)
{
    return is_shared(number) ? listener_action(number, act, old) : real.sigaction(number, act, old);
}

static handler_fn signal_with(int number, handler_fn handler, int flags)
{
    struct sigaction act = {.sa_handler = handler, .sa_flags = flags}, old;
    sigemptyset(&act.sa_mask);
    listener_action(number, &act, &old);
    return old.sa_handler;
}

/* Passed on to its namesake: signal() differs from libc to libc. */
static handler_fn pass_on(signal_fn next, int number, handler_fn handler)
{
    if (next)
        return next(number, handler);
    errno = ENOSYS;
    return SIG_ERR;
}

HOOK handler_fn signal(int number, handler_fn handler)
{
    return is_shared(number) ? signal_with(number, handler, SA_RESTART)
                             : pass_on(real.signal, number, handler);
}

HOOK handler_fn bsd_signal(int number, handler_fn handler)
{
    return is_shared(number) ? signal_with(number, handler, SA_RESTART)
                             : pass_on(real.bsd_signal, number, handler);
}

HOOK handler_fn ssignal(int number, handler_fn handler)
{
    return is_shared(number) ? signal_with(number, handler, SA_RESTART)
                             : pass_on(real.ssignal, number, handler);
}

HOOK handler_fn __sysv_signal(int number, handler_fn handler)
{
    return is_shared(number) ? signal_with(number, handler, (int)SA_RESETHAND | SA_NODEFER)
                             : pass_on(real.__sysv_signal, number, handler);
}

HOOK handler_fn sysv_signal(int number, handler_fn handler)
{
    return __sysv_signal(number, handler);
}
