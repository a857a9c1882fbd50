/*
 * hotspot.h - what a HotSpot JVM says of its own structures.
 *
 * What it is: the table that it keeps for debuggers, in its exported symbols: which field is where, in this very
 *   version. So nothing is known of versions here.
 * Owns: nothing. Context: anywhere, once the JVM is up.
 * Not here: what fields mean (jvm_counters.h).
 */
#ifndef HEAPDIFF_PRELOAD_HOTSPOT_H
#define HEAPDIFF_PRELOAD_HOTSPOT_H

#include <stdbool.h>
#include <stdint.h>

/* The table is found by these, in this order. */
#define HOTSPOT_SYMBOLS                                                                \
    "gHotSpotVMStructs", "gHotSpotVMStructEntryArrayStride",                           \
        "gHotSpotVMStructEntryTypeNameOffset", "gHotSpotVMStructEntryFieldNameOffset", \
        "gHotSpotVMStructEntryOffsetOffset", "gHotSpotVMStructEntryAddressOffset"

enum { HOTSPOT_SYMBOLS_COUNT = 6 };

struct hotspot_field {
    const void *address; /* of a static field, else NULL */
    uint64_t offset;     /* of another one in its struct */
};

/* `symbols` are addresses of HOTSPOT_SYMBOLS, 0: not there. False: there is no such field. */
bool hotspot_field(const uint64_t *symbols, const char *type, const char *name,
                   struct hotspot_field *field);

/* The library's own constructors have filled the table in; until then the others must not be asked. */
bool hotspot_is_ready(const uint64_t *symbols);

/* The pointer in a static field; NULL: not there, or not yet. */
const void *hotspot_pointer(const uint64_t *symbols, const char *type, const char *name);

#endif
