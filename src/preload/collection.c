#include "collection.h"

#include "arena.h"
#include "guard.h"
#include "site.h"
#include "spin.h"
#include "sys.h"

static struct spin lock; /* two marks at once would tell two stories */

void collection_mark(void)
{
    uint32_t before = guard_thread.state;
    guard_set(GUARD_RECORDING); /* a handler of ours waits until the mark is whole */
    spin_lock(&lock);
    site_mark();
    __atomic_fetch_add(&arena.header->collections, 1, __ATOMIC_RELAXED);
    arena.header->collection_time_ns = sys_time_ns();
    spin_unlock(&lock);
    guard_set(before);
}

void collection_fork(void)
{
    spin_reset(&lock);
}

void collection_escape(void)
{
    spin_escape(&lock);
}
