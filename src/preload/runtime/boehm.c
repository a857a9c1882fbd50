#include "boehm.h"

#include "boehm_heap.h"
#include "symbol.h"

#include "preload/ground/arena.h"
#include "preload/ground/facts.h"
#include "preload/ground/guard.h"
#include "preload/ground/inner.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"
#include "preload/views/collection.h"

#include <string.h>

/* GC_EventType of gc.h; the numbers have not changed since there are any. */
enum event {
    EVENT_START,
    EVENT_MARK_START,
    EVENT_MARK_END,
    EVENT_RECLAIM_START,
    EVENT_RECLAIM_END,
    EVENT_END,
    EVENT_PRE_STOP_WORLD, /* the other threads are stopped at any instruction, in any lock of ours */
    EVENT_POST_STOP_WORLD,
    EVENT_PRE_START_WORLD,
    EVENT_POST_START_WORLD
};

/* Where the events are as they are here. */
enum { VERSION_MIN = 7 << 16 | 6 << 8, VERSION_END = 9 << 16 };

static const char *const symbols[] = {
    "GC_set_on_collection_event", /* nothing else has that */
#define BOEHM_NAME(name) #name,
    BOEHM_HOOKED(BOEHM_NAME) BOEHM_CALLED(BOEHM_NAME)
#undef BOEHM_NAME
        NULL,
};

enum { SYMBOLS = sizeof(symbols) / sizeof(symbols[0]) - 2, ADDRESSES_AT = 1 };
static_assert(sizeof(struct boehm) == SYMBOLS * sizeof(uintptr_t), "one field for each name");
static_assert(SYMBOLS + ADDRESSES_AT <= RUNTIME_SYMBOLS_MAX, "they are looked up together");

struct boehm boehm;

static struct {
    bool resolved, armed;
    bool hooked;                 /* calls of the program's come by us */
    bool is_early;               /* there when the process started, in a library */
    uint64_t own_start, own_end; /* this library */
    boehm_event_fn next;         /* the program's */
    void (*next_start)(void);    /* the same */
    boehm_roots_fn roots;        /* the same */
    /* The collection under way: kept by libgc's lock. */
    uint64_t stop_ns, pause_ns, rss_bytes, before_bytes;
    enum guard_state guard_before;
    bool stopped;
} state;

/* What libgc says of its heap: that of blocks which have anything in them. */
static uint64_t heap_bytes(void)
{
    size_t (*size)(void) = (size_t(*)(void))boehm.GC_get_heap_size;
    size_t (*spare)(void) = (size_t(*)(void))boehm.GC_get_free_bytes;
    size_t size_bytes = size ? size() : 0, free_bytes = spare ? spare() : 0;
    return size_bytes > free_bytes ? size_bytes - free_bytes : 0;
}

/*
 * The size at which libgc will collect again, by the rule it goes by: so much is allocated in between as divides what there is
 * to scan, twice the live bytes that may have pointers and a quarter of the others, by its divisor. Stacks and static data
 * are left out.
 */
static uint64_t goal_bytes(const struct boehm_heap *heap)
{
    size_t (*divisor)(void) = (size_t(*)(void))boehm.GC_get_free_space_divisor;
    uint64_t pointer_bytes = heap->live_bytes - heap->atomic_bytes;
    if (!divisor || divisor() == 0 || heap->live_bytes == 0)
        return 0;
    return heap->live_bytes + (2 * pointer_bytes + heap->atomic_bytes / 4) / divisor();
}

static void begin(void)
{
    state.pause_ns = state.stop_ns = 0;
    state.rss_bytes = facts_rss_bytes();
    state.before_bytes = heap_bytes();
}

static void reclaim_objects(struct collection_event *event)
{
    struct guard_thread *own = guard_own;
    if (!own || guard_state() != GUARD_CALLING)
        return;
    struct boehm_heap heap = boehm_heap_reclaim(own);
    event->truth = BOX_TRUTH_EXACT;
    event->before_bytes = heap.live_bytes + heap.freed_bytes;
    event->after_bytes = heap.live_bytes;
    event->goal_bytes = goal_bytes(&heap);
}

/* Marks are valid and the world runs: now is the moment between two collections' stories. */
static void reclaim(void)
{
    struct collection_event event = {.source = runtime_boehm.name,
                                     .truth = BOX_TRUTH_TOTALS,
                                     .pause_ns = state.pause_ns,
                                     .before_bytes = state.before_bytes,
                                     .rss_before_bytes = state.rss_bytes};
    if (!guard_counts() || guard_state() == GUARD_RECORDING)
        return;
    struct guard_thread *entered = guard_state() == GUARD_OUTSIDE ? guard_enter() : NULL;
    if (boehm_records())
        reclaim_objects(&event);
    else
        event.after_bytes = boehm_heap_marked_bytes();
    collection_mark(&event);
    if (entered)
        guard_leave(entered);
}

/* What this thread maps meanwhile must not wait for a thread that is stopped. */
static void stop(void)
{
    state.stop_ns = sys_uptime_ns();
    state.stopped = true;
    state.guard_before = guard_part();
}

static void go_on(void)
{
    if (!state.stopped)
        return;
    state.stopped = false;
    guard_rejoin(state.guard_before);
    state.pause_ns += sys_uptime_ns() - state.stop_ns;
}

/* Linked in: where the program's hook is. */
static boehm_event_fn *kept_event(void)
{
    return (boehm_event_fn *)boehm.GC_on_collection_event;
}

static void on_event(int event)
{
    switch (event) {
    case EVENT_START:
        begin();
        break;
    case EVENT_PRE_STOP_WORLD:
        stop();
        break;
    case EVENT_POST_START_WORLD:
        go_on();
        break;
    case EVENT_RECLAIM_START:
        reclaim();
        break;
    case EVENT_RECLAIM_END:
        if (kept_event())
            *kept_event() = state.next;
        break;
    default:
        break;
    }
    if (state.next)
        state.next(event);
}

/*
 * Linked in, its functions are called past us, and a hook that the program sets replaces ours. So ours takes its place for as
 * long as a collection takes: before and after, the program's is what is there. Under libgc's lock, as all of this.
 */
static void on_start(void)
{
    if (*kept_event() != on_event) { /* it still is where a collection was given up */
        state.next = *kept_event();
        *kept_event() = on_event;
    }
    begin();
    if (state.next_start)
        state.next_start();
}

static bool watch_starts(void)
{
    typedef void (*start_fn)(void);
    void (*set)(start_fn) = (void (*)(start_fn))boehm.GC_set_start_callback;
    start_fn (*get)(void) = (start_fn(*)(void))boehm.GC_get_start_callback;
    if (!kept_event() || !set || !get)
        return false;
    if (get() != on_start) /* never to ourselves */
        state.next_start = get();
    set(on_start);
    return true;
}

static void watch_events(boehm_set_event_fn set)
{
    boehm_event_fn (*get)(void) = (boehm_event_fn(*)(void))boehm.GC_get_on_collection_event;
    boehm_event_fn before = get ? get() : NULL;
    if (before != on_event) /* never to ourselves */
        state.next = before;
    set(on_event);
}

void boehm_set_event(boehm_event_fn event)
{
    state.next = event;
}

boehm_event_fn boehm_event(void)
{
    return state.next;
}

/* Our tables are nobody's roots: to scan them would cost the program time, and change when it collects. */
static int has_roots(const char *name, void *start, size_t bytes)
{
    if ((uint64_t)start >= state.own_start && (uint64_t)start < state.own_end)
        return 0;
    return state.roots ? state.roots(name, start, bytes) : 1;
}

void boehm_set_roots(boehm_roots_fn callback)
{
    state.roots = callback;
}

bool boehm_is_hooked(void)
{
    return state.is_early;
}

bool boehm_records(void)
{
    return state.armed && state.hooked;
}

/* A libgc that can be hooked is an object of its own. What is not there now may be loaded later. */
bool boehm_resolve(void)
{
    struct module module;
    if (__atomic_load_n(&state.resolved, __ATOMIC_ACQUIRE))
        return boehm.GC_malloc != 0;
    uint64_t first = symbol_find_library("GC_malloc", NULL);
    if (!first || !module_find(first, &module))
        return false;
    uintptr_t *fields = (uintptr_t *)&boehm;
    for (unsigned i = 0; i < SYMBOLS; i++)
        fields[i] = symbol_find(&module, symbols[ADDRESSES_AT + i]);
    __atomic_store_n(&state.resolved, true, __ATOMIC_RELEASE);
    return true;
}

static unsigned version(struct runtime_found *found)
{
    unsigned (*ask)(void) = (unsigned (*)(void))boehm.GC_get_version;
    unsigned number = ask ? ask() : 0;
    struct text text = text_on(found->version, sizeof(found->version));
    text_put_number(&text, number >> 16);
    text_put(&text, ".");
    text_put_number(&text, number >> 8 & 255);
    text_put(&text, ".");
    text_put_number(&text, number & 255);
    return number;
}

static bool is_known(unsigned number)
{
    return number >= VERSION_MIN && number < VERSION_END;
}

static void keep_out_roots(void)
{
    struct module own;
    void (*set)(boehm_roots_fn) =
        (void (*)(boehm_roots_fn))boehm.GC_register_has_static_roots_callback;
    if (!module_find((uint64_t)&boehm_resolve, &own))
        return;
    state.own_start = own.start;
    state.own_end = own.end;
    if (set)
        set(has_roots);
}

static void meet(struct runtime_found *found)
{
    if (found->is_late)
        return;
    memcpy(&boehm, found->addresses + ADDRESSES_AT, sizeof(boehm));
    state.resolved = true;
    if (!is_known(version(found)))
        return;
    state.is_early = !found->is_static && found->module.name[0] != '\0';
    keep_out_roots();
}

static enum box_runtime_state arm(struct runtime_found *found)
{
    if (!state.resolved)
        memcpy(&boehm, found->addresses + ADDRESSES_AT, sizeof(boehm));
    if (!is_known(version(found)))
        return BOX_RUNTIME_UNKNOWN;
    /* The program's own functions, and those of a library that it has opened for itself, are called past us. */
    state.hooked = !found->is_static && !found->is_late && found->module.name[0] != '\0';
    found->truth = state.hooked ? BOX_TRUTH_EXACT : BOX_TRUTH_TOTALS;
    if (state.hooked)
        inner_add_allocator((const void *)boehm.GC_malloc);
    state.armed = true;
    if (!watch_starts())
        watch_events((boehm_set_event_fn)found->addresses[0]);
    return BOX_RUNTIME_WATCHED;
}

const struct runtime runtime_boehm = {
    .name = "boehm", .symbols = symbols, .truth = BOX_TRUTH_EXACT, .meet = meet, .arm = arm};
