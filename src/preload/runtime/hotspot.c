#include "hotspot.h"

#include <stddef.h>
#include <string.h>

enum { TABLE, STRIDE, TYPE_NAME, FIELD_NAME, OFFSET, ADDRESS };

bool hotspot_is_ready(const uint64_t *symbols)
{
    static const int places[] = {STRIDE, FIELD_NAME, OFFSET, ADDRESS}; /* none of them is 0 */
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (symbols[places[i]] != 0 &&
            __atomic_load_n((const uint64_t *)symbols[places[i]], __ATOMIC_ACQUIRE) == 0)
            return false;
    return true;
}

bool hotspot_field(const uint64_t *symbols, const char *type, const char *name,
                   struct hotspot_field *field)
{
    uint64_t values[HOTSPOT_SYMBOLS_COUNT];
    for (int i = 0; i < HOTSPOT_SYMBOLS_COUNT; i++) {
        if (symbols[i] == 0)
            return false;
        values[i] = *(const uint64_t *)symbols[i];
    }
    for (const char *at = (const char *)values[TABLE]; values[STRIDE] > 0; at += values[STRIDE]) {
        const char *entry_type = *(const char *const *)(at + values[TYPE_NAME]);
        if (!entry_type)
            return false;
        if (strcmp(entry_type, type) != 0 ||
            strcmp(*(const char *const *)(at + values[FIELD_NAME]), name) != 0)
            continue;
        field->offset = *(const uint64_t *)(at + values[OFFSET]);
        field->address = *(const void *const *)(at + values[ADDRESS]);
        return true;
    }
    return false;
}

const void *hotspot_pointer(const uint64_t *symbols, const char *type, const char *name)
{
    struct hotspot_field field;
    if (!hotspot_field(symbols, type, name, &field) || !field.address)
        return NULL;
    return __atomic_load_n((const void *const *)field.address, __ATOMIC_ACQUIRE);
}
