#include "perfdata.h"

#include <assert.h>
#include <string.h>

/* jvmstat's own names; in the byte order of the machine, or else we do not read it. */
struct prologue {
    uint32_t magic;
    uint8_t byte_order;
    uint8_t major, minor;
    uint8_t accessible;
    int32_t used_bytes, overflow;
    int64_t modified;
    int32_t entry_offset, entry_count;
};

struct entry {
    int32_t entry_bytes;
    int32_t name_offset;
    int32_t vector_length; /* 0: a scalar */
    uint8_t type;          /* as in Java's descriptors: J a long, B bytes */
    uint8_t flags, unit, variability;
    int32_t data_offset;
};

static_assert(sizeof(struct prologue) == 32, "a JVM's layout");
static_assert(sizeof(struct entry) == 20, "a JVM's layout");

enum { MAGIC_LITTLE = 0xc0c0feca, MAGIC_BIG = 0xcafec0c0, VERSION_MAJOR = 2 };

bool perfdata_is(const void *memory, size_t size_bytes)
{
    const struct prologue *prologue = memory;
    return size_bytes >= sizeof(*prologue) && (uint64_t)(uintptr_t)memory % sizeof(uint64_t) == 0 &&
           (prologue->magic == MAGIC_LITTLE || prologue->magic == MAGIC_BIG) &&
           prologue->byte_order == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) &&
           prologue->major == VERSION_MAJOR && prologue->entry_offset >= (int32_t)sizeof(*prologue);
}

/* Whether the entry's name is `name`, and its data lie within. */
static bool is_entry(const struct entry *entry, const char *name)
{
    size_t length = strlen(name) + 1, bytes = (size_t)entry->entry_bytes;
    return entry->name_offset >= (int32_t)sizeof(*entry) && entry->data_offset >= 0 &&
           (size_t)entry->data_offset < bytes && (size_t)entry->name_offset < bytes &&
           length <= bytes - (size_t)entry->name_offset &&
           memcmp((const char *)entry + entry->name_offset, name, length) == 0;
}

static const struct entry *find(const void *memory, size_t size_bytes, const char *name)
{
    const struct prologue *prologue = memory;
    if (!perfdata_is(memory, size_bytes))
        return NULL;
    /* An entry is filled in before it is counted. */
    int32_t count = __atomic_load_n(&prologue->entry_count, __ATOMIC_ACQUIRE);
    size_t at = (size_t)prologue->entry_offset;
    for (int32_t i = 0; i < count; i++) {
        if (at > size_bytes || size_bytes - at < sizeof(struct entry))
            return NULL;
        const struct entry *entry = (const struct entry *)((const char *)memory + at);
        if (entry->entry_bytes < (int32_t)sizeof(*entry) || entry->entry_bytes % 4 != 0 ||
            (size_t)entry->entry_bytes > size_bytes - at)
            return NULL;
        if (is_entry(entry, name))
            return entry;
        at += (size_t)entry->entry_bytes;
    }
    return NULL;
}

const uint64_t *perfdata_number(const void *memory, size_t size_bytes, const char *name)
{
    const struct entry *entry = find(memory, size_bytes, name);
    if (!entry || entry->type != 'J' || entry->vector_length != 0 ||
        (size_t)entry->entry_bytes - (size_t)entry->data_offset < sizeof(uint64_t))
        return NULL;
    const char *data = (const char *)entry + entry->data_offset;
    return (uintptr_t)data % sizeof(uint64_t) == 0 ? (const uint64_t *)data : NULL;
}

const char *perfdata_text(const void *memory, size_t size_bytes, const char *name,
                          size_t *room_bytes)
{
    const struct entry *entry = find(memory, size_bytes, name);
    if (!entry || entry->type != 'B' || entry->vector_length <= 0)
        return NULL;
    size_t room = (size_t)entry->entry_bytes - (size_t)entry->data_offset;
    *room_bytes = room < (size_t)entry->vector_length ? room : (size_t)entry->vector_length;
    return (const char *)entry + entry->data_offset;
}
