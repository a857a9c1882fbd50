#include "jvm_counters.h"

#include "hotspot.h"
#include "perfdata.h"
#include "symbol.h"

#include "preload/ground/text.h"

#include <string.h>

enum {
    NAME_BYTES = 64, /* of a counter */
    TABLE_AT = 1     /* of HOTSPOT_SYMBOLS in jvm_symbols */
};

/* By the names that counters have for themselves: Java 8 to 13, then as of 14. */
static const struct {
    const char *name;
    enum jvm_kind kind;
} kinds[] = {
    {"Copy", JVM_YOUNG},
    {"MSC", JVM_FULL},
    {"PSScavenge", JVM_YOUNG},
    {"PSParallelCompact", JVM_FULL},
    {"G1 incremental collections", JVM_YOUNG},
    {"G1 stop-the-world full collections", JVM_FULL},
    {"G1 stop-the-world phases", JVM_PHASES},
    {"Serial young collection pauses", JVM_YOUNG},
    {"Serial full collection pauses", JVM_FULL},
    {"Parallel young collection pauses", JVM_YOUNG},
    {"Parallel full collection pauses", JVM_FULL},
    {"G1 young collection pauses", JVM_YOUNG},
    {"G1 full collection pauses", JVM_FULL},
    {"G1 concurrent cycle pauses", JVM_PHASES},
    {"Z concurrent cycle pauses", JVM_CYCLES},
    {"Shenandoah partial", JVM_NEVER},
    {"Shenandoah full", JVM_UNCOUNTED},
};

const char *const jvm_symbols[] = {
    "JNI_GetCreatedJavaVMs", /* any JVM's; the others are HotSpot's */
    HOTSPOT_SYMBOLS, NULL};

/* "sun.gc.collector." 1 ".name", and so on. */
static const char *counter_name(char name[NAME_BYTES], uint64_t number, const char *rest)
{
    struct text text = text_on(name, NAME_BYTES);
    text_put(&text, "sun.gc.collector.");
    text_put_number(&text, number);
    text_put(&text, rest);
    return name;
}

static const uint64_t *collector_number(const struct jvm_counters *jvm, uint64_t ordinal,
                                        const char *rest)
{
    char name[NAME_BYTES];
    return perfdata_number(jvm->memory, jvm->memory_bytes, counter_name(name, ordinal, rest));
}

/* False: it is there, and not as we know it. */
static bool find_collector(struct jvm_counters *jvm, uint64_t ordinal)
{
    char name[NAME_BYTES];
    size_t room;
    struct jvm_collector *collector = &jvm->collectors[ordinal];
    const char *label =
        perfdata_text(jvm->memory, jvm->memory_bytes, counter_name(name, ordinal, ".name"), &room);
    if (!label)
        return true;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strncmp(label, kinds[i].name, room) == 0)
            collector->kind = kinds[i].kind;
    collector->invocations = collector_number(jvm, ordinal, ".invocations");
    collector->entry = collector_number(jvm, ordinal, ".lastEntryTime");
    collector->exit = collector_number(jvm, ordinal, ".lastExitTime");
    collector->time = collector_number(jvm, ordinal, ".time");
    return collector->kind != JVM_UNKNOWN && collector->invocations && collector->entry &&
           collector->exit && collector->time;
}

/* All but eden, which is empty after a collection, and has been allocated from since. */
static void find_spaces(struct jvm_counters *jvm)
{
    char name[] = "sun.gc.generation.0.space.0.used";
    for (int generation = '0'; generation <= '1'; generation++)
        for (int space = generation == '0' ? '1' : '0'; space <= '3'; space++) {
            name[sizeof("sun.gc.generation.") - 1] = (char)generation;
            name[sizeof("sun.gc.generation.0.space.") - 1] = (char)space;
            const uint64_t *used = perfdata_number(jvm->memory, jvm->memory_bytes, name);
            if (used && jvm->spaces_count < JVM_SPACES_MAX)
                jvm->spaces[jvm->spaces_count++] = used;
        }
}

/* What the log of collections numbers them by. The JVM's file has that name while it is not stripped. */
static bool find_number(struct jvm_counters *jvm, const struct runtime_found *found)
{
    struct symbol_wanted next = {"_ZN4GCId8_next_idE", 0};
    if (symbol_read_file(found->module.name, found->module.bias, &next, 1) == 0)
        return false;
    jvm->collections = (const uint32_t *)next.address;
    return true;
}

static bool find_counters(struct jvm_counters *jvm, const struct runtime_found *found)
{
    bool any = false;
    memset(jvm->collectors, 0, sizeof(jvm->collectors));
    jvm->spaces_count = 0;
    for (unsigned i = 0; i < JVM_COLLECTORS; i++) {
        if (!find_collector(jvm, i))
            return false;
        any |= jvm->collectors[i].kind != JVM_UNKNOWN;
        if (jvm->collectors[i].kind == JVM_UNCOUNTED && !find_number(jvm, found))
            return false;
    }
    find_spaces(jvm);
    jvm->cause = perfdata_text(jvm->memory, jvm->memory_bytes, "sun.gc.cause", &jvm->cause_bytes);
    jvm->last_cause =
        perfdata_text(jvm->memory, jvm->memory_bytes, "sun.gc.lastCause", &jvm->last_cause_bytes);
    return any && jvm->cause && jvm->last_cause;
}

static void read_version(struct runtime_found *found)
{
    const char *release =
        hotspot_pointer(found->addresses + TABLE_AT, "Abstract_VM_Version", "_s_vm_release");
    struct text text = text_on(found->version, sizeof(found->version));
    if (release)
        text_put_bytes(&text, release, strcspn(release, " "));
}

enum box_runtime_state jvm_counters_find(struct jvm_counters *jvm, struct runtime_found *found)
{
    const uint64_t *table = found->addresses + TABLE_AT;
    struct hotspot_field collections;
    if (!hotspot_is_ready(table))
        return BOX_RUNTIME_WAITING;
    read_version(found);
    if (!hotspot_field(table, "CollectedHeap", "_total_collections", &collections))
        return BOX_RUNTIME_UNKNOWN;
    const char *heap = hotspot_pointer(table, "Universe", "_collectedHeap");
    if (!heap)
        return BOX_RUNTIME_WAITING;
    jvm->collections = (const uint32_t *)(heap + collections.offset);
    jvm->memory = hotspot_pointer(table, "PerfMemory", "_start");
    jvm->memory_bytes = (size_t)(uintptr_t)hotspot_pointer(table, "PerfMemory", "_capacity");
    if (!jvm->memory)
        return BOX_RUNTIME_REFUSED; /* it is made before the heap: -XX:-UsePerfData */
    if (!perfdata_is(jvm->memory, jvm->memory_bytes))
        return BOX_RUNTIME_UNKNOWN;
    /* Made last of all counters that are of use here. */
    const uint64_t *frequency =
        perfdata_number(jvm->memory, jvm->memory_bytes, "sun.os.hrt.frequency");
    if (!frequency || *frequency == 0)
        return BOX_RUNTIME_WAITING;
    jvm->frequency_hz = *frequency;
    return find_counters(jvm, found) ? BOX_RUNTIME_WATCHED : BOX_RUNTIME_UNKNOWN;
}
