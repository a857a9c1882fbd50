/*
 * Go in a program that is linked with C: the collector is asked how often it has run, and stacks go on where it
 * switches them. The names are in the file's own symbol table alone.
 */
#include "runtime.h"

#include "preload/ground/text.h"
#include "preload/unwind/unwind_switch.h"
#include "preload/views/collection.h"

#include <string.h>

/* Structs with room for cache lines differ from processor to processor. */
#if defined(__x86_64__)
enum { MACHINE_IS_KNOWN = true };
#else
enum { MACHINE_IS_KNOWN = false };
#endif

enum {
    POLL_MS = 2,
    PAUSES = 256,          /* of the runtime's ring */
    SWITCH_BYTES_MAX = 512 /* farther apart, the name behind a function is not of the next one */
};

/* Where a version has its figures: bytes from the variable. */
struct layout {
    const char *prefix;           /* of the version */
    uint32_t count, pauses;       /* in runtime.memstats */
    uint32_t marked, limit, goal; /* in runtime.gcController */
    uint32_t before;              /* in runtime.work */
};

/* cli/go/go_layout.c has more of them. */
static const struct layout layouts[] = {
    {"go1.19.", 7704, 3608, 184, 8, 104, 408},
};

enum symbol {
    STATS,
    CONTROLLER,
    WORK,
    VERSION,
    CALL_C,
    CALL_C_END,
    SYSTEM_STACK,
    SYSTEM_STACK_END,
    SYMBOLS
};
static const char *const symbols[SYMBOLS + 1] = {
    [STATS] = "runtime.memstats",
    [CONTROLLER] = "runtime.gcController",
    [WORK] = "runtime.work",
    [VERSION] = "runtime.buildVersion",
    [CALL_C] = "runtime.asmcgocall.abi0",
    [CALL_C_END] = "runtime.cgocallback.abi0",
    [SYSTEM_STACK] = "runtime.systemstack.abi0",
    [SYSTEM_STACK_END] = "runtime.morestack.abi0",
};

static struct {
    const struct layout *layout; /* NULL: not known */
    uint32_t seen;               /* collections that were marked */
} state;

static uint32_t load32(uint64_t address)
{
    return __atomic_load_n((const uint32_t *)address, __ATOMIC_ACQUIRE);
}

static uint64_t load64(uint64_t address)
{
    return __atomic_load_n((const uint64_t *)address, __ATOMIC_RELAXED);
}

/* A Go string: where it is, and how long. */
static void read_version(struct runtime_found *found)
{
    const char *bytes = (const char *)load64(found->addresses[VERSION]);
    uint64_t length = load64(found->addresses[VERSION] + sizeof(uint64_t));
    static const char prefix[] = "go";
    struct text text = text_on(found->version, sizeof(found->version));
    if (!bytes || length >= sizeof(found->version) || length < sizeof(prefix) - 1)
        return;
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        size_t prefix_bytes = strlen(layouts[i].prefix);
        if (length > prefix_bytes && memcmp(bytes, layouts[i].prefix, prefix_bytes) == 0)
            state.layout = &layouts[i];
    }
    text_put_bytes(&text, bytes + sizeof(prefix) - 1, length - (sizeof(prefix) - 1));
}

static void add_switch(const struct runtime_found *found, enum symbol start, enum symbol end)
{
    uint64_t from = found->addresses[start], to = found->addresses[end];
    if (from != 0 && to > from && to - from <= SWITCH_BYTES_MAX)
        switch_add(from, to);
}

static enum box_runtime_state arm(struct runtime_found *found)
{
    for (int i = STATS; i <= VERSION; i++)
        if (found->addresses[i] == 0)
            return BOX_RUNTIME_UNKNOWN;
    read_version(found);
    if (!state.layout || !MACHINE_IS_KNOWN)
        return BOX_RUNTIME_UNKNOWN;
    add_switch(found, CALL_C, CALL_C_END);
    add_switch(found, SYSTEM_STACK, SYSTEM_STACK_END);
    return BOX_RUNTIME_WATCHED;
}

static void mark(const struct runtime_found *found, uint32_t number, bool is_last)
{
    const struct layout *layout = state.layout;
    const uint64_t *addresses = found->addresses;
    struct collection_event event = {.source = runtime_go.name,
                                     .truth = BOX_TRUTH_TOTALS,
                                     .pause_ns = load64(addresses[STATS] + layout->pauses +
                                                        (number - 1) % PAUSES * sizeof(uint64_t))};
    if (is_last) { /* figures are of the last one */
        event.before_bytes = load64(addresses[WORK] + layout->before);
        event.after_bytes = load64(addresses[CONTROLLER] + layout->marked);
        if (load64(addresses[CONTROLLER] + layout->limit) == INT64_MAX)
            event.goal_bytes = load64(addresses[CONTROLLER] + layout->goal);
    }
    if (event.goal_bytes > INT64_MAX)
        event.goal_bytes = 0; /* it is off */
    collection_mark(&event);
}

/* Those that came since the last look are marked now: what lies between them is not told apart. */
static bool poll(const struct runtime_found *found)
{
    uint32_t count = load32(found->addresses[STATS] + state.layout->count);
    if (count - state.seen > BOX_COLLECTIONS_KEPT)
        state.seen = count - BOX_COLLECTIONS_KEPT;
    while (state.seen != count) {
        state.seen++;
        mark(found, state.seen, state.seen == count);
    }
    return true;
}

const struct runtime runtime_go = {.name = "go",
                                   .symbols = symbols,
                                   .truth = BOX_TRUTH_TOTALS,
                                   .arm = arm,
                                   .poll = poll,
                                   .poll_ms = POLL_MS};
