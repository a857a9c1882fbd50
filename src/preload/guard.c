#include "guard.h"

#include "sys.h"

#include <sys/mman.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

enum { GUARD_PAGE_BYTES = 4096 };

__thread struct guard_thread guard_thread;
struct guard_process guard_process;

bool guard_init(void (*forked)(void), void (*serve)(uint32_t wanted))
{
    uint32_t *page = sys_pages(GUARD_PAGE_BYTES);
    if (!page)
        return false;
    /* Kernels before 4.14 refuse: pthread_atfork's child handler then stands in (init.c). */
    sys_call3(SYS_madvise, (long)page, GUARD_PAGE_BYTES, MADV_WIPEONFORK);
    *page = 1;
    guard_process.alive = page;
    guard_process.forked = forked;
    guard_process.serve = serve;
    return true;
}

bool guard_escaped(void)
{
    return guard_process.escaped && guard_process.escaped();
}

bool guard_fork_begin(void)
{
    guard_process.forked();
    if (!guard_process.recording)
        guard_set(GUARD_OUTSIDE);
    return guard_process.recording;
}

void guard_fork_done(void)
{
    *guard_process.alive = 1;
}

void guard_serve(void)
{
    uint32_t wanted = __atomic_exchange_n(&guard_thread.wanted, 0, __ATOMIC_RELAXED);
    if (wanted)
        guard_process.serve(wanted);
}
