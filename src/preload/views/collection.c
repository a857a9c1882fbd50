#include "collection.h"

#include "gate.h"
#include "trace.h"
#include "preload/ground/arena.h"
#include "preload/ground/facts.h"
#include "preload/ground/guard.h"
#include "preload/ground/permit.h"
#include "preload/ground/sample.h"
#include "preload/ground/spin.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"
#include "preload/tables/block.h"
#include "preload/tables/delta.h"
#include "preload/tables/history.h"
#include "preload/tables/range.h"
#include "preload/tables/site.h"

#include <signal.h>
#include <string.h>

enum {
    COLLECTION_REDATE_MARKS = 7 /* blocks are re-dated this often, see block_redate() */
};

/* Private memory: in a forked child as of the fork, whatever the parent has marked since. */
static struct {
    struct spin lock; /* one mark at a time: two would tell two stories. Before the gate */
    uint64_t marks;
    uint64_t count;
} state;

static uint32_t place_of(uint64_t number)
{
    return 1 + (uint32_t)((number - 1) % BOX_COLLECTIONS_KEPT);
}

/* Sites that have come since the last mark get their place, and so does the next collection. */
static void make_room(void)
{
    if (!history_reach())
        arena_lost(&arena.header->lost.histories);
    if (arena.tables[BOX_COLLECTIONS].count <= place_of(state.count) &&
        arena_append(BOX_COLLECTIONS, 1) != BOX_NONE)
        arena_publish(BOX_COLLECTIONS);
}

static void reach(void)
{
    if (guard_state() == GUARD_RECORDING) /* what we interrupted may have the lock */
        return;
    if (!site_lock_or_not())
        return;
    make_room();
    site_unlock();
}

/* Everything that is live, in one moment. The gate is closed. */
static uint64_t mark(void)
{
    struct box_header *header = arena.header;
    reach();
    site_mark();
    delta_mark();
    header->collection_time_ns = sys_time_ns();
    uint64_t live_bytes = history_mark(++state.marks);
    block_set_epoch(state.marks);
    range_set_epoch((uint32_t)state.marks);
    __atomic_store_n(&header->collections, state.marks, __ATOMIC_RELAXED);
    return live_bytes;
}

static uint64_t mark_nothing(void)
{
    reach();
    return 0;
}

static uint64_t mark_gated(void)
{
    reach(); /* most of it while nobody waits */
    gate_close();
    uint64_t live_bytes = mark();
    gate_open();
    if (state.marks % COLLECTION_REDATE_MARKS == 0)
        block_redate(state.marks);
    return live_bytes;
}

static void put_text(char *to, size_t room_bytes, const char *from)
{
    struct text text = text_on(to, room_bytes);
    text_put(&text, from ? from : "");
}

static void describe(struct box_collection *entry, const struct collection_event *event)
{
    *entry = (struct box_collection){.number = ++state.count,
                                     .time_ns = sys_time_ns(),
                                     .pause_ns = event->pause_ns,
                                     .before_bytes = event->before_bytes,
                                     .after_bytes = event->after_bytes,
                                     .rss_before_bytes = event->rss_before_bytes,
                                     .rss_bytes = facts_rss_bytes(),
                                     .goal_bytes = event->goal_bytes,
                                     .is_full = !event->is_minor,
                                     .truth = event->truth};
    if (event->truth == BOX_TRUTH_EXACT && sample.period_bytes != 0)
        entry->truth = BOX_TRUTH_SAMPLED;
    put_text(entry->source, sizeof(entry->source), event->source);
    put_text(entry->reason, sizeof(entry->reason), event->reason);
}

/* A reader sees by the number that the rest is whole. */
static void keep(const struct box_collection *entry)
{
    uint32_t place = place_of(entry->number);
    arena.header->collection_count = entry->number;
    if (place >= arena.tables[BOX_COLLECTIONS].count) /* no memory */
        return;
    struct box_collection *kept = arena_entry(BOX_COLLECTIONS, place);
    __atomic_store_n(&kept->number, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy((char *)kept + sizeof(kept->number), (const char *)entry + sizeof(entry->number),
           sizeof(*entry) - sizeof(entry->number));
    __atomic_store_n(&kept->number, entry->number, __ATOMIC_RELEASE);
}

static void record(struct box_collection *entry, const struct collection_event *event,
                   uint64_t (*marker)(void))
{
    describe(entry, event);
    uint64_t live_bytes = marker();
    if (!event->is_minor)
        entry->time_ns = arena.header->collection_time_ns;
    /* What is live of all sites is no figure of a heap that its runtime says nothing about. */
    if (!event->is_minor && event->after_bytes == 0 && event->truth != BOX_TRUTH_TOTALS)
        entry->after_bytes = live_bytes;
    entry->mark = state.marks;
    keep(entry);
}

/* The state this thread was in, and the signals that it is to have again. */
struct moment {
    enum guard_state before;
    uint64_t signals;
};

static struct moment begin(void)
{
    struct moment moment = {.before = guard_state()};
    uint64_t all = ~0ull;
    sys_call4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&moment.signals, sizeof(all));
    if (moment.before == GUARD_OUTSIDE)
        guard_set(GUARD_CALLING);
    spin_lock(&state.lock);
    return moment;
}

static void end(const struct moment *moment)
{
    guard_set(moment->before);
    sys_call4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&moment->signals, 0, sizeof(moment->signals));
}

void collection_mark(const struct collection_event *event)
{
    if (!permit_has(PERMIT_FILES))
        return;
    if (guard_is_apart()) { /* the threads to wait for are stopped */
        guard_want(GUARD_WANT_MARK);
        return;
    }
    struct box_collection entry;
    struct moment moment = begin();
    record(&entry, event, event->is_minor ? mark_nothing : mark_gated);
    spin_unlock(&state.lock);
    trace_collection(&entry);
    end(&moment);
}

uint64_t collection_live_bytes(void)
{
    if (!permit_has(PERMIT_FILES))
        return 0;
    struct moment moment = begin();
    gate_close();
    int64_t bytes = site_live_bytes() + delta_live_bytes();
    gate_open();
    spin_unlock(&state.lock);
    end(&moment);
    return bytes > 0 ? (uint64_t)bytes : 0;
}

void collection_fork(void)
{
    spin_reset(&state.lock);
    gate_fork();
}

/* The parent went on marking in memory that was shared until now. */
static void forget_others(void)
{
    for (uint32_t i = 1; i < arena.tables[BOX_COLLECTIONS].count; i++) {
        struct box_collection *entry = arena_entry(BOX_COLLECTIONS, i);
        if (entry->number > state.count)
            *entry = (struct box_collection){0};
    }
}

/* Only one thread is there, and it is recording: nobody to be kept out. */
static uint64_t mark_inherited(void)
{
    make_room();
    site_mark();
    arena.header->collection_time_ns = arena.header->start_time_ns;
    uint64_t live_bytes = history_mark(++state.marks);
    block_set_epoch(state.marks);
    range_set_epoch((uint32_t)state.marks);
    arena.header->collections = state.marks;
    block_redate(state.marks); /* the parent may have been at it just then */
    return live_bytes;
}

void collection_inherit(void)
{
    struct box_collection entry;
    const struct collection_event event = {.source = "fork"};
    arena.header->collections = state.marks;
    arena.header->collection_count = state.count;
    if (state.marks == 0) {
        arena.header->collection_time_ns = arena.header->peak_bytes = 0;
        return;
    }
    forget_others();
    record(&entry, &event, mark_inherited);
}

void collection_escape(void)
{
    spin_escape(&state.lock);
    gate_escape();
}
