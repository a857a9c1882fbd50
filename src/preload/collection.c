#include "collection.h"

#include "arena.h"
#include "block.h"
#include "delta.h"
#include "gate.h"
#include "guard.h"
#include "permit.h"
#include "site.h"
#include "sys.h"

#include <signal.h>

/* Everything that is live, in one moment, in place: no memory is needed. */
static void mark(void)
{
    gate_close(); /* also keeps two marks apart: they would tell two stories */
    site_mark();
    delta_mark();
    block_set_epoch(__atomic_add_fetch(&arena.header->collections, 1, __ATOMIC_RELAXED));
    arena.header->collection_time_ns = sys_time_ns();
    gate_open();
}

void collection_mark(void)
{
    if (!permit_has(PERMIT_FILES))
        return;
    uint64_t all = ~0ull, signals;
    enum guard_state before = guard_state();
    sys_call4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&signals, sizeof(all));
    if (before == GUARD_OUTSIDE)
        guard_set(GUARD_CALLING);
    mark();
    guard_set(before);
    sys_call4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&signals, 0, sizeof(signals));
}

void collection_fork(void)
{
    gate_fork();
}

void collection_escape(void)
{
    gate_escape();
}
