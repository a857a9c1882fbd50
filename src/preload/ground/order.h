/*
 * order.h - sorting in place, where libc's qsort() may not be called (it allocates).
 *
 * What it is: Shell's sort, by the first eight bytes of each item: few items, mostly in order already.
 * Owns: nothing. Context: anywhere.
 * Not here: order among equal keys.
 */
#ifndef HEAPDIFF_PRELOAD_ORDER_H
#define HEAPDIFF_PRELOAD_ORDER_H

#include <stddef.h>

enum { ORDER_ITEM_BYTES_MAX = 64 };

/* Items of `item_bytes` (ORDER_ITEM_BYTES_MAX at most), whose first field is the uint64_t that they go up by. */
void order(void *items, size_t count, size_t item_bytes);

#endif
