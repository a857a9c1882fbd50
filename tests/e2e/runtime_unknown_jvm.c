/* A JVM that is found like HotSpot and counts like it, but for the name of its collector. */
#include "runtime_unknown.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

FORBIDDEN(JNI_GetCreatedJavaVMs)

/* The table for debuggers. */

struct field {
    const char *type, *name;
    uint64_t offset;
    const void *address;
};

static const char release[] = "99.0.1+3", *const release_at = release;
static uint32_t collections[2];
static const void *const heap_at = collections;
static _Alignas(8) char counters[4096];
static const char *const counters_at = counters;
static const uint64_t capacity = sizeof(counters);

static const struct field fields[] = {
    {"Abstract_VM_Version", "_s_vm_release", 0, &release_at},
    {"CollectedHeap", "_total_collections", 4, NULL},
    {"Universe", "_collectedHeap", 0, &heap_at},
    {"PerfMemory", "_start", 0, &counters_at},
    {"PerfMemory", "_capacity", 0, &capacity},
    {NULL, NULL, 0, NULL},
};

extern const struct field *const gHotSpotVMStructs;
extern const uint64_t gHotSpotVMStructEntryArrayStride, gHotSpotVMStructEntryTypeNameOffset,
    gHotSpotVMStructEntryFieldNameOffset, gHotSpotVMStructEntryOffsetOffset,
    gHotSpotVMStructEntryAddressOffset;
const struct field *const gHotSpotVMStructs = fields;
const uint64_t gHotSpotVMStructEntryArrayStride = sizeof(struct field);
const uint64_t gHotSpotVMStructEntryTypeNameOffset = offsetof(struct field, type);
const uint64_t gHotSpotVMStructEntryFieldNameOffset = offsetof(struct field, name);
const uint64_t gHotSpotVMStructEntryOffsetOffset = offsetof(struct field, offset);
const uint64_t gHotSpotVMStructEntryAddressOffset = offsetof(struct field, address);

/* Its counters, with a head of 32 bytes. */

enum { HEAD_BYTES = 32, ENTRY_BYTES = 20, COUNT_AT = 28, ROOM_BYTES = 32 };

static size_t end = HEAD_BYTES;

static void put(size_t at, uint32_t value)
{
    memcpy(counters + at, &value, sizeof(value));
}

static void add(const char *name, char type, const void *value, uint32_t bytes)
{
    uint32_t data_at = (ENTRY_BYTES + (uint32_t)strlen(name) + 1 + 7) / 8 * 8, count;
    put(end, data_at + ROOM_BYTES);
    put(end + 4, ENTRY_BYTES);
    put(end + 8, type == 'B' ? bytes : 0);
    counters[end + 12] = type;
    put(end + 16, data_at);
    memcpy(counters + end + ENTRY_BYTES, name, strlen(name) + 1);
    memcpy(counters + end + data_at, value, bytes);
    end += data_at + ROOM_BYTES;
    memcpy(&count, counters + COUNT_AT, sizeof(count));
    put(COUNT_AT, count + 1);
}

static void add_number(const char *name, uint64_t value)
{
    add(name, 'J', &value, sizeof(value));
}

/* UNKNOWN_JVM_COLLECTOR: the name of one that is known, which shows that nothing else is amiss. */
__attribute__((constructor)) static void count(void)
{
    const char *name = getenv("UNKNOWN_JVM_COLLECTOR");
    name = name ? name : "Quantum collection pauses";
    put(0, 0xc0c0feca);
    put(4, 0x10201); /* little-endian, version 2.1 */
    put(24, HEAD_BYTES);
    add("sun.gc.collector.0.name", 'B', name, (uint32_t)strlen(name) + 1);
    add_number("sun.gc.collector.0.invocations", 3);
    add_number("sun.gc.collector.0.time", 1000);
    add_number("sun.gc.collector.0.lastEntryTime", 10);
    add_number("sun.gc.collector.0.lastExitTime", 20);
    add("sun.gc.cause", 'B', "No GC", 6);
    add("sun.gc.lastCause", 'B', "No GC", 6);
    add_number("sun.os.hrt.frequency", 1000000000);
}

/* It is looked at every now and then. */
void unknown_use(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
}
