#include "runtime.h"

#include "preload/ground/facts.h"
#include "preload/ground/guard.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"
#include "preload/unwind/unwind.h"
#include "preload/views/aside.h"
#include "preload/views/collection.h"

#include <string.h>

/* enum MonoProfilerGCEvent of mono/metadata/profiler.h; numbers that went out of use are not given again. */
enum event {
    EVENT_START = 0,
    EVENT_END = 5,
    EVENT_PRE_STOP_WORLD = 6, /* threads are stopped at any instruction, in any lock of ours */
    EVENT_POST_START_WORLD = 9
};

enum { GENERATION_MAJOR = 1 };
enum {
    PENDING_MAX = 8
}; /* collections in one pause: the nursery, and at most one of the old objects */

enum { AT_VERSION, AT_CREATE, AT_SET, AT_FREE };

static const char *const symbols[] = {
    [AT_VERSION] = "mono_get_runtime_build_info", /* any Mono */
    [AT_CREATE] = "mono_profiler_create",         /* since 5.8 */
    [AT_SET] = "mono_profiler_set_gc_event_callback",
    [AT_FREE] = "mono_free",
    NULL,
};

/* Kept by the collector's own lock: one thread collects at a time, from its first event to its last. */
static struct {
    uint64_t stop_ns, rss_bytes;
    enum guard_state guard_before;
    uint32_t pending_count;
    bool pending_minor[PENDING_MAX]; /* ended in this pause */
    bool stopped;
    bool known, marks; /* its version; it is to be watched */
} state;

static void stop(void)
{
    if (state.stopped)
        return;
    state.stopped = true;
    state.rss_bytes = state.marks ? facts_rss_bytes() : 0;
    state.stop_ns = sys_uptime_ns();
    guard_notice();
    state.guard_before = guard_part();
    aside_begin();
}

/* The world runs again, and the collector's lock is still held. What it has mapped is its caller's. */
static void go_on(const struct unwind_start *caller)
{
    if (!state.stopped)
        return;
    uint64_t pause_ns = sys_uptime_ns() - state.stop_ns;
    uint32_t count = state.pending_count;
    state.stopped = false;
    state.pending_count = 0;
    guard_rejoin(state.guard_before);
    aside_end(caller);
    if (!state.marks || !guard_counts() || guard_state() == GUARD_RECORDING)
        return;
    for (uint32_t i = 0; i < count; i++) {
        bool is_last = i == count - 1; /* the pause was one for all of them */
        collection_mark(&(struct collection_event){.source = runtime_mono.name,
                                                   .truth = BOX_TRUTH_TOTALS,
                                                   .is_minor = state.pending_minor[i],
                                                   .pause_ns = is_last ? pause_ns : 0,
                                                   .rss_before_bytes = state.rss_bytes});
    }
}

static void on_event(void *profiler, int event, uint32_t generation)
{
    (void)profiler;
    const struct unwind_start caller = UNWIND_HERE();
    switch (event) {
    case EVENT_PRE_STOP_WORLD:
        stop();
        break;
    case EVENT_END:
        if (state.pending_count < PENDING_MAX)
            state.pending_minor[state.pending_count++] = generation < GENERATION_MAJOR;
        break;
    case EVENT_POST_START_WORLD:
        go_on(&caller);
        break;
    default:
        break;
    }
}

/* "6.8.0.105 (Debian ...)": the number. */
static void read_version(struct runtime_found *found)
{
    char *(*ask)(void) = (char *(*)(void))found->addresses[AT_VERSION];
    void (*release)(void *) = (void (*)(void *))found->addresses[AT_FREE];
    struct text text = text_on(found->version, sizeof(found->version));
    char *version = ask();
    if (version)
        text_put_bytes(&text, version, strcspn(version, " "));
    if (version && release)
        release(version);
}

/* What the enum and the callback are in. 6.8 is the one that is tested. */
static bool is_known(const char *version)
{
    uint64_t major = 0, minor = 0;
    return text_read_number(&version, &major) && *version++ == '.' &&
           text_read_number(&version, &minor) && ((major == 5 && minor >= 8) || major == 6);
}

/* Also where collections are not to be marked: with other threads stopped, what the collector maps would wait for
   them. */
static void meet(struct runtime_found *found)
{
    void *(*create)(void *) = (void *(*)(void *))found->addresses[AT_CREATE];
    void (*set)(void *, void (*)(void *, int, uint32_t)) =
        (void (*)(void *, void (*)(void *, int, uint32_t)))found->addresses[AT_SET];
    read_version(found);
    if (!create || !set || !is_known(found->version))
        return;
    void *profiler = create(&state);
    state.known = profiler != NULL;
    if (profiler)
        set(profiler, on_event);
}

static enum box_runtime_state arm(struct runtime_found *found)
{
    (void)found;
    state.marks = state.known;
    return state.known ? BOX_RUNTIME_WATCHED : BOX_RUNTIME_UNKNOWN;
}

const struct runtime runtime_mono = {
    .name = "mono", .symbols = symbols, .truth = BOX_TRUTH_TOTALS, .meet = meet, .arm = arm};
