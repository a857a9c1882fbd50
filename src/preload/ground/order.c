#include "order.h"

#include <stdint.h>
#include <string.h>

static uint64_t key_of(const void *item)
{
    uint64_t key;
    memcpy(&key, item, sizeof(key));
    return key;
}

void order(void *items, size_t count, size_t item_bytes)
{
    unsigned char moved[ORDER_ITEM_BYTES_MAX], *base = items;
    for (size_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (size_t i = gap; i < count; i++) {
            size_t at = i;
            memcpy(moved, base + i * item_bytes, item_bytes);
            uint64_t key = key_of(moved);
            for (; at >= gap && key_of(base + (at - gap) * item_bytes) > key; at -= gap)
                memcpy(base + at * item_bytes, base + (at - gap) * item_bytes, item_bytes);
            memcpy(base + at * item_bytes, moved, item_bytes);
        }
}
