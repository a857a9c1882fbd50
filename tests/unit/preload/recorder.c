#include "recorder.h"

#include "preload/ground/arena.h"
#include "preload/tables/delta.h"
#include "preload/views/gate.h"
#include "preload/ground/guard.h"
#include "preload/tables/thread.h"

static void forked(void)
{
    gate_fork();
    thread_fork();
    guard_fork_done();
}

static void serve(uint32_t wanted)
{
    (void)wanted;
}

static struct guard_thread *acquire(void)
{
    struct thread *thread = thread_acquire();
    return thread ? &thread->guard : NULL;
}

bool recorder_start(void)
{
    long error;
    if (!arena_open(NULL, "app", 1, &error))
        return false;
    guard_init(forked, serve);
    guard_process.acquire = acquire;
    guard_process.wait = gate_wait;
    guard_process.recording = true;
    gate_init();
    thread_init();
    return true;
}

uint32_t recorder_lots(uint32_t count, uint32_t size_bytes)
{
    uint32_t first = arena.tables[BOX_LOTS].count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t site = arena_append(BOX_SITES, 1), lot = arena_append(BOX_LOTS, 1);
        arena_publish(BOX_SITES);
        *(struct box_lot *)arena_entry(BOX_LOTS, lot) =
            (struct box_lot){.site = site, .size_bytes = size_bytes};
        arena_publish(BOX_LOTS);
    }
    return first;
}

bool recorder_alloc(uint32_t lot)
{
    struct guard_thread *own = guard_enter_recording();
    if (!own)
        return false;
    delta_alloc(&thread_of(own)->delta, lot);
    guard_leave(own);
    return true;
}

bool recorder_alloc_two(uint32_t lot, uint32_t other)
{
    struct guard_thread *own = guard_enter_recording();
    if (!own)
        return false;
    delta_alloc(&thread_of(own)->delta, lot);
    delta_alloc(&thread_of(own)->delta, other);
    guard_leave(own);
    return true;
}

bool recorder_free(uint32_t lot)
{
    struct guard_thread *own = guard_enter_recording();
    if (!own)
        return false;
    delta_free(&thread_of(own)->delta, lot);
    guard_leave(own);
    return true;
}

unsigned recorder_threads(void)
{
    unsigned count = 0;
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        count++;
    return count;
}
