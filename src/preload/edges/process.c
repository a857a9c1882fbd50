#include "process.h"

#include "hook.h"
#include "listener.h"
#include "preload/ground/arena.h"
#include "preload/ground/facts.h"
#include "preload/ground/guard.h"
#include "preload/ground/options.h"
#include "preload/ground/permit.h"
#include "preload/ground/sys.h"
#include "preload/runtime/runtime.h"
#include "preload/tables/range.h"
#include "preload/tables/site.h"
#include "preload/tables/thread.h"
#include "preload/views/collection.h"
#include "preload/views/gate.h"
#include "preload/views/growth.h"
#include "preload/views/snapshot.h"
#include "preload/views/standstill.h"
#include "preload/views/tracker.h"

#include <signal.h>
#include <string.h>
#include <time.h>

enum {
    PROCESS_WAIT_NS = 1000000, /* between two looks at whether the final profile is written */
    PROCESS_WAIT_LOOKS_MAX = 10000
};

static const char exec_source[] = "exec";

static struct {
    uint32_t finisher; /* the thread that writes, or has written, the final profile; 0: none yet */
    bool finished;     /* it has */
} state;

static __thread enum guard_state state_before_fork; /* of the guard, while this thread forks */

bool process_is_ours(void)
{
    return guard_counts() && sys_pid() == arena.header->pid;
}

void process_before_fork(void)
{
    runtime_rest(); /* first: what the helper thread waits for may be ours */
    /* A fork from a handler that interrupted our own tables cannot wait for them. */
    if (!guard_process.recording || guard_in_tables() || range_is_locked_here())
        return;
    state_before_fork = guard_state();
    /* Handlers, and what other libraries do around a fork, must not wait for what this thread holds. */
    guard_self()->forking = true;
    guard_set(GUARD_RECORDING);
    if (!range_lock()) /* first: who has it may wait for the gate, and so for all who want the other */
        arena_lost(&arena.header->lost.ranges);
    site_lock();
}

static void release_after_fork(void)
{
    if (!guard_self()->forking)
        return;
    site_unlock();
    range_unlock();
    guard_set(state_before_fork);
    guard_self()->forking = false;
    if (state_before_fork == GUARD_OUTSIDE)
        guard_leave(guard_self());
}

void process_after_fork(void)
{
    release_after_fork();
    runtime_resume();
}

void process_after_fork_child(void)
{
    process_forked_quietly();
    runtime_fork();
    release_after_fork();
}

void process_forked_quietly(void)
{
    guard_fork_noticed();     /* also where the kernel does not wipe the page */
    guard_self()->wanted = 0; /* the parent was asked */
    if (!guard_in_tables() || guard_self()->forking || !guard_process.recording)
        return;
    /* A handler has interrupted an event, which ends in both: here, in what only looks like the parent's
       tables. They are recounted at the next event. */
    if (tracker_detach())
        return;
    arena_lost(&arena.header->lost.nested_events); /* the parent's */
    guard_process.recording = false;
    hooks_malloc_end();
}

static bool child_begin(int parent_pid)
{
    site_unlock_child();
    thread_fork();
    collection_fork();
    snapshot_fork();
    bool whole = range_recover();
    if (!arena_renew(arena.header->name, sys_pid()))
        return false;
    struct box_header *header = arena.header;
    facts_fork(header, parent_pid);
    standstill_fork();
    memset(&header->lost, 0, sizeof(header->lost));
    header->lost.ranges = !whole;
    header->snapshots = 0;
    header->state = BOX_STATE_RUNNING;
    tracker_inherit();
    collection_inherit();
    growth_restart();
    guard_want(GUARD_WANT_LOOK); /* what the parent's helper thread was at is this process's now */
    return true;
}

/* A handler that forked in the middle of this would have a child with half of two boxes. */
static uint64_t block_signals(void)
{
    uint64_t all = ~0ull, before = 0;
    if (permit_has(PERMIT_SIGNALS))
        sys_call4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&before, sizeof(all));
    return before;
}

static void unblock_signals(uint64_t before)
{
    if (permit_has(PERMIT_SIGNALS))
        sys_call4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof(before));
}

void process_forked(void)
{
    enum guard_state before = guard_state();
    uint64_t signals = block_signals();
    guard_set(GUARD_RECORDING); /* a snapshot asked for meanwhile waits */
    listener_fork();
    state.finished = false;
    state.finisher = 0;
    guard_process.recording =
        options.children && permit_has(PERMIT_FILES) && child_begin(arena.header->pid);
    if (!guard_process.recording) {
        arena.path[0] = '\0'; /* the parent's file is not ours to delete */
        hooks_malloc_end();
    }
    guard_fork_done();
    guard_set(before);
    unblock_signals(signals);
}

static void finish(const char *source)
{
    bool kept = options.final && snapshot_take(source, NULL) != 0;
    guard_process.recording = false;
    if (!kept) { /* else nothing was written: the black box is all there is */
        arena.header->state = BOX_STATE_DONE;
        arena_unlink();
    }
    __atomic_store_n(&state.finished, true, __ATOMIC_RELEASE);
}

/* Another thread is writing: to exit now would tear its file. */
static void wait_for_finisher(void)
{
    static const struct timespec pause = {.tv_nsec = PROCESS_WAIT_NS};
    for (int i = 0; i < PROCESS_WAIT_LOOKS_MAX; i++) {
        if (__atomic_load_n(&state.finished, __ATOMIC_ACQUIRE))
            return;
        sys_call2(SYS_nanosleep, (long)&pause, 0);
    }
}

/* Whether the last profile is this thread's to write; if another thread is at it, waits for that. */
static bool begin_finish(void)
{
    uint32_t none = 0;
    if (!permit_has(PERMIT_FILES) || !process_is_ours()) /* the black box stays */
        return false;
    uint32_t self = (uint32_t)sys_tid();
    if (__atomic_compare_exchange_n(&state.finisher, &none, self, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return true;
    if (none != self) /* else a handler interrupted us and wants to exit */
        wait_for_finisher();
    return false;
}

void process_finish(const char *source)
{
    if (!begin_finish())
        return;
    runtime_finish();
    sys_leave(true);
    finish(source);
    sys_leave(false); /* what runs now may fork */
}

/* Has nobody record and nothing grow; not if this very thread was interrupted while it did so. */
static bool hold_tables(enum guard_state *before)
{
    *before = guard_state();
    if (*before == GUARD_RECORDING)
        return false;
    guard_set(GUARD_CALLING);
    gate_close();
    guard_set(GUARD_RECORDING);
    site_lock();
    return true;
}

static void release_tables(bool held, enum guard_state before)
{
    if (!held)
        return;
    site_unlock();
    guard_set(GUARD_CALLING);
    gate_open();
    guard_set(before);
    if (before == GUARD_OUTSIDE)
        guard_leave(guard_self());
}

void process_exec(void)
{
    enum guard_state before;
    if (!begin_finish())
        return;
    if (!options.final || snapshot_take(exec_source, NULL) == 0) {
        bool held = hold_tables(&before);
        arena.header->state = BOX_STATE_DONE;
        arena_unlink();
        release_tables(held, before);
    }
    /* Recording goes on: nothing that happens until exec has failed is to be missed. */
    __atomic_store_n(&state.finished, true, __ATOMIC_RELEASE);
}

void process_exec_failed(void)
{
    enum guard_state before;
    if (!permit_has(PERMIT_FILES) || !process_is_ours() || state.finisher != (uint32_t)sys_tid())
        return; /* a vfork child, or another thread has ended the process meanwhile */
    snapshot_retract(exec_source);
    bool held = hold_tables(&before);
    if (arena.header->state == BOX_STATE_DONE)
        guard_process.recording = arena_renew(arena.header->name, arena.header->pid);
    arena.header->state = BOX_STATE_RUNNING;
    state.finished = false;
    state.finisher = 0;
    release_tables(held, before);
}

void process_reserve(void)
{
    enum guard_state before;
    if (!hold_tables(&before))
        return;
    arena_reserve_ahead();
    release_tables(true, before);
}

void process_settle(void)
{
    enum guard_state before = guard_state();
    if (before == GUARD_RECORDING) /* a handler: it would wait for what it has interrupted */
        return;
    snapshot_settle();
    guard_set(GUARD_RECORDING);
    site_lock();
    site_unlock();
    guard_set(before);
    if (before == GUARD_OUTSIDE)
        guard_leave(guard_self());
}
