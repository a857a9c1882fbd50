#include "node.h"

#include "runtime.h"

#include "preload/ground/facts.h"
#include "preload/ground/guard.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"
#include "preload/views/collection.h"

#include <string.h>

/* enum v8::GCType and v8::GCCallbackFlags, of the versions that is_known() lets pass. */
enum {
    TYPE_SCAVENGE = 1 << 0,
    TYPE_MINOR_MARK = 1 << 1,
    TYPE_MARK_COMPACT = 1 << 2, /* what comes behind are parts of one */
    TYPES = TYPE_SCAVENGE | TYPE_MINOR_MARK | TYPE_MARK_COMPACT
};
enum { FLAG_FORCED = 1 << 2, FLAG_ALL_AVAILABLE = 1 << 4 };

enum {
    STATISTICS_WORDS = 64, /* room for what later versions add */
    STATISTICS_USED = 4    /* used_heap_size_ of class v8::HeapStatistics */
};

typedef void (*callback_fn)(void *isolate, int type, int flags, void *data);

enum { AT_MARK, AT_VERSION, AT_CURRENT, AT_PROLOGUE, AT_EPILOGUE, AT_STATISTICS, SYMBOLS };

static const char *const symbols[] = {
    [AT_MARK] = "node_module_register", /* any node; V8 alone is in other programs too */
    [AT_VERSION] = "_ZN2v82V810GetVersionEv",
    [AT_CURRENT] = "_ZN2v87Isolate13TryGetCurrentEv",
    [AT_PROLOGUE] =
        "_ZN2v87Isolate21AddGCPrologueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallbackFlagsEPvES4_S2_",
    [AT_EPILOGUE] =
        "_ZN2v87Isolate21AddGCEpilogueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallbackFlagsEPvES4_S2_",
    [AT_STATISTICS] = "_ZN2v87Isolate17GetHeapStatisticsEPNS_14HeapStatisticsE",
    [SYMBOLS] = NULL,
};

static struct {
    uint64_t addresses[SYMBOLS];
    bool is_met;   /* and wanted; atomic */
    bool is_known; /* its version; V8 is up since somebody asked; atomic */
} node;

/* This thread's isolate, and its collection under way. */
static __thread struct {
    void *isolate;
    uint64_t start_ns, before_bytes, rss_bytes;
} own;

static uint64_t used_bytes(void *isolate)
{
    uint64_t statistics[STATISTICS_WORDS] = {0};
    ((void (*)(void *, void *))node.addresses[AT_STATISTICS])(isolate, statistics);
    return statistics[STATISTICS_USED];
}

static void before(void *isolate, int type, int flags, void *data)
{
    (void)type, (void)flags, (void)data;
    own.before_bytes = used_bytes(isolate);
    own.rss_bytes = facts_rss_bytes();
    own.start_ns = sys_uptime_ns();
}

static const char *reason(int flags)
{
    if (flags & FLAG_FORCED)
        return "forced";
    return flags & FLAG_ALL_AVAILABLE ? "all available garbage" : NULL;
}

static void after(void *isolate, int type, int flags, void *data)
{
    (void)data;
    uint64_t end_ns = sys_uptime_ns();
    if (!guard_counts() || guard_state() == GUARD_RECORDING)
        return;
    collection_mark(&(struct collection_event){.source = runtime_node.name,
                                               .reason = reason(flags),
                                               .is_minor = !(type & TYPE_MARK_COMPACT),
                                               .truth = BOX_TRUTH_TOTALS,
                                               .pause_ns = end_ns - own.start_ns,
                                               .before_bytes = own.before_bytes,
                                               .after_bytes = used_bytes(isolate),
                                               .rss_before_bytes = own.rss_bytes});
}

/* V8's "10.2.154.26-node.37": where the types above are as they are here. 10.2 and 11.3 are tested. */
static bool is_known(const char *version)
{
    uint64_t major = 0, minor = 0;
    return text_read_number(&version, &major) && *version++ == '.' &&
           text_read_number(&version, &minor) &&
           ((major == 10 && minor >= 2) || (major >= 11 && major <= 13));
}

static bool has_all(void)
{
    for (int i = 0; i < SYMBOLS; i++)
        if (node.addresses[i] == 0)
            return false;
    return true;
}

/* Once, as soon as V8 is up. */
static bool identify(void)
{
    const char *version = NULL;
    if (node.addresses[AT_VERSION])
        version = ((const char *(*)(void))node.addresses[AT_VERSION])();
    bool known = version && has_all() && is_known(version);
    runtime_say(&runtime_node, known ? BOX_RUNTIME_WATCHED : BOX_RUNTIME_UNKNOWN, version);
    return known;
}

/* In an isolate's thread, outside of its collections. */
static void watch(void)
{
    void *isolate = ((void *(*)(void))node.addresses[AT_CURRENT])();
    if (!isolate || isolate == own.isolate)
        return;
    own.isolate = isolate;
    struct guard_thread *self = guard_self();
    self->paused++; /* what V8 keeps of us is not the program's */
    guard_choose();
    typedef void (*add_fn)(void *, callback_fn, void *, int);
    ((add_fn)node.addresses[AT_PROLOGUE])(isolate, before, NULL, TYPES);
    ((add_fn)node.addresses[AT_EPILOGUE])(isolate, after, NULL, TYPES);
    self = guard_self();
    self->paused--;
    guard_choose();
}

/* Node asks for these when there is an isolate, and before it runs a script: others it asks for too early, when V8
   10 takes somebody else's thread-local for its own. */
static bool is_asked_before_scripts(const char *name)
{
    return strcmp(name, "NODE_V8_COVERAGE") == 0 || strcmp(name, "NODE_CHANNEL_FD") == 0;
}

void node_environment(const char *name)
{
    if (!__atomic_load_n(&node.is_met, __ATOMIC_ACQUIRE) || !name || !is_asked_before_scripts(name))
        return;
    if (!node.is_known) {
        if (!identify()) {
            node.is_met = false;
            return;
        }
        __atomic_store_n(&node.is_known, true, __ATOMIC_RELEASE);
    }
    watch();
}

void node_turn(void)
{
    if (__atomic_load_n(&node.is_known, __ATOMIC_ACQUIRE))
        watch();
}

static void meet(struct runtime_found *found)
{
    memcpy(node.addresses, found->addresses, sizeof(node.addresses));
    __atomic_store_n(&node.is_met, runtime_is_on(&runtime_node), __ATOMIC_RELEASE);
}

const struct runtime runtime_node = {
    .name = "node", .symbols = symbols, .truth = BOX_TRUTH_TOTALS, .meet = meet};
