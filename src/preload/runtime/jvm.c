#include "jvm_counters.h"
#include "runtime.h"

#include "preload/ground/text.h"
#include "preload/views/collection.h"

#include <string.h>

enum {
    POLL_MS = 10, /* a JVM looks at its own clock as often; a full collection mostly takes longer */
    REASON_BYTES = 48,
    SECOND_NS = 1000000000
};

static struct jvm_counters jvm;

static enum box_runtime_state arm(struct runtime_found *found)
{
    return jvm_counters_find(&jvm, found);
}

static uint64_t load(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

/* Those that have ended. */
static uint64_t collector_ended(const struct jvm_collector *collector)
{
    uint64_t begun = load(collector->invocations);
    bool is_within = load(collector->exit) < load(collector->entry);
    return begun - (is_within && begun > 0);
}

static bool is_idle(void)
{
    return strncmp(jvm.cause, "No GC", jvm.cause_bytes) == 0;
}

static uint64_t ns_of(uint64_t ticks)
{
    return (uint64_t)((unsigned __int128)ticks * SECOND_NS / jvm.frequency_hz);
}

static uint64_t used_bytes(void)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < jvm.spaces_count; i++)
        bytes += load(jvm.spaces[i]);
    return bytes;
}

/* `count` collections, of which only the last can be described. */
static void tell(uint64_t count, const struct collection_event *last)
{
    for (uint64_t i = 1; i < count; i++)
        collection_mark(&(struct collection_event){
            .source = last->source, .truth = last->truth, .is_minor = last->is_minor});
    if (count > 0)
        collection_mark(last);
}

/* What is said of the very last one; it is left out where another one may have begun to change it meanwhile. */
static struct collection_event describe(char reason[REASON_BYTES], bool is_last)
{
    struct collection_event event = {.source = runtime_jvm.name, .truth = BOX_TRUTH_TOTALS};
    struct text text = text_on(reason, REASON_BYTES);
    uint32_t begun = __atomic_load_n(jvm.collections, __ATOMIC_ACQUIRE);
    if (!is_last || !is_idle())
        return event;
    uint64_t after_bytes = used_bytes();
    text_put_bytes(&text, jvm.last_cause, strnlen(jvm.last_cause, jvm.last_cause_bytes));
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (!is_idle() || __atomic_load_n(jvm.collections, __ATOMIC_ACQUIRE) != begun)
        return event;
    event.reason = reason;
    event.after_bytes = after_bytes;
    return event;
}

/* How many collections the pauses that have ended by now are. */
static uint64_t collections_of(const struct jvm_collector *collector, uint64_t ended)
{
    if (collector->kind == JVM_PHASES)
        return (ended - collector->base + 1) / 2 - (collector->seen - collector->base + 1) / 2;
    return ended - collector->seen;
}

/* A full collection has a concurrent cycle given up: what pauses come after it are a new one's. */
static void restart_phases(const struct jvm_collector *full)
{
    for (unsigned i = 0; i < JVM_COLLECTORS; i++) {
        struct jvm_collector *phases = &jvm.collectors[i];
        if (phases->kind != JVM_PHASES)
            continue;
        if (load(phases->exit) < load(full->exit))
            phases->seen = collector_ended(phases);
        phases->base = phases->seen;
    }
}

static void look_at_pauses(struct jvm_collector *collector, bool is_last)
{
    char reason[REASON_BYTES];
    uint64_t ended = collector_ended(collector);
    if (ended == collector->seen)
        return;
    uint64_t count = collections_of(collector, ended), ticks = load(collector->time);
    struct collection_event event = describe(reason, is_last);
    event.is_minor = collector->kind == JVM_YOUNG;
    if (ended == collector->seen + 1)
        event.pause_ns = ns_of(ticks - collector->seen_ticks);
    if (collector->kind == JVM_PHASES)
        event.reason = "concurrent cycle";
    collector->seen = ended;
    collector->seen_ticks = ticks;
    tell(count, &event);
    if (collector->kind == JVM_FULL)
        restart_phases(collector);
}

/* Z and Shenandoah: a cycle is counted when it begins, and has a cause until it is over. */
static void look_at_cycles(struct jvm_collector *collector)
{
    char reason[REASON_BYTES];
    bool idle = is_idle();
    uint32_t ended = __atomic_load_n(jvm.collections, __ATOMIC_ACQUIRE) - !idle;
    int32_t count = (int32_t)(ended - jvm.cycles_seen);
    if (count <= 0)
        return;
    struct collection_event event = describe(reason, true);
    uint64_t ticks = load(collector->time);
    event.after_bytes =
        0; /* each pause renews the sizes: the next cycle's first before it counts */
    if (collector->kind == JVM_CYCLES && count == 1 && idle)
        event.pause_ns = ns_of(ticks - collector->seen_ticks);
    collector->seen_ticks = ticks;
    jvm.cycles_seen = ended;
    tell((uint64_t)count, &event);
}

static void look_at(struct jvm_collector *collector, bool is_last)
{
    if (collector->kind == JVM_CYCLES || collector->kind == JVM_UNCOUNTED)
        look_at_cycles(collector);
    else if (collector->kind != JVM_NEVER)
        look_at_pauses(collector, is_last);
}

/* The one of the `left` whose last pause ended first. */
static unsigned earliest(unsigned left)
{
    unsigned first = JVM_COLLECTORS;
    for (unsigned i = 0; i < JVM_COLLECTORS; i++)
        if (left >> i & 1 && (first == JVM_COLLECTORS ||
                              load(jvm.collectors[i].exit) < load(jvm.collectors[first].exit)))
            first = i;
    return first;
}

static bool poll(const struct runtime_found *found)
{
    (void)found;
    unsigned left = 0;
    for (unsigned i = 0; i < JVM_COLLECTORS; i++)
        if (jvm.collectors[i].kind != JVM_UNKNOWN)
            left |= 1u << i;
    while (left != 0) {
        unsigned next = earliest(left);
        left &= ~(1u << next);
        look_at(&jvm.collectors[next], left == 0);
    }
    return true;
}

const struct runtime runtime_jvm = {.name = "jvm",
                                    .symbols = jvm_symbols,
                                    .truth = BOX_TRUTH_TOTALS,
                                    .by_helper = true,
                                    .arm = arm,
                                    .poll = poll,
                                    .poll_ms = POLL_MS};
