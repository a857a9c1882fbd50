#include "process.h"

#include "arena.h"
#include "collection.h"
#include "facts.h"
#include "growth.h"
#include "guard.h"
#include "options.h"
#include "range.h"
#include "site.h"
#include "snapshot.h"
#include "sys.h"
#include "tracker.h"

#include <string.h>

static struct {
    bool finished; /* the final profile was written, or is being written */
} state;

static __thread bool holding; /* this thread's fork has taken the locks */

bool process_is_ours(void)
{
    return guard_process.recording && *guard_process.alive != 0 && sys_pid() == arena.header->pid;
}

void process_before_fork(void)
{
    /* A fork from a handler that interrupted our own tables cannot wait for them. */
    holding = guard_process.recording && guard_thread.state != GUARD_RECORDING;
    if (!holding)
        return;
    site_lock();
    range_lock();
}

void process_after_fork(void)
{
    if (!holding)
        return;
    holding = false;
    range_unlock();
    site_unlock();
}

void process_after_fork_child(void)
{
    process_after_fork();
    if (guard_process.recording)
        *guard_process.alive = 0; /* also where the kernel does not wipe the page */
}

static bool child_begin(int parent_pid)
{
    site_unlock_child();
    collection_fork();
    snapshot_fork();
    bool whole = range_recover();
    if (!arena_renew(arena.header->name, sys_pid()))
        return false;
    struct box_header *header = arena.header;
    facts_fork(header, parent_pid);
    memset(&header->lost, 0, sizeof(header->lost));
    header->lost.ranges = !whole;
    header->snapshots = 0;
    header->state = BOX_STATE_RUNNING;
    tracker_inherit();
    growth_restart();
    return true;
}

void process_forked(void)
{
    uint32_t before = guard_thread.state;
    guard_set(GUARD_RECORDING); /* a snapshot asked for meanwhile waits */
    state.finished = false;
    guard_process.recording = options.children && child_begin(arena.header->pid);
    if (!guard_process.recording)
        arena.path[0] = '\0'; /* the parent's file is not ours to delete */
    guard_fork_done();
    guard_set(before);
}

void process_finish(const char *source)
{
    if (!process_is_ours() || __atomic_exchange_n(&state.finished, true, __ATOMIC_ACQ_REL))
        return;
    bool kept = options.final && snapshot_take(source, NULL) != 0;
    guard_process.recording = false;
    if (kept) /* nothing was written: the black box is all there is */
        return;
    arena.header->state = BOX_STATE_DONE;
    arena_unlink();
}

void process_continue(void)
{
    if (!state.finished)
        return;
    if (arena.header->state == BOX_STATE_DONE && !arena_renew(arena.header->name, arena.header->pid))
        return;
    arena.header->state = BOX_STATE_RUNNING;
    state.finished = false;
    guard_process.recording = true;
}
