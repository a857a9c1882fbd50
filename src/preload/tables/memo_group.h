/*
 * memo_group.h - four cells of the machine's stack at once.
 *
 * What it is: whether four cells hold what they held. What a capture costs is loads, so there are as few as can
 *   be: one for each cell, one for the offsets of two, one for the values of two.
 * Owns: nothing.
 * Context: hooks. All four are read, in no order: they lie in one page, of which the walk would read the first.
 * Not here: which cells those are (memo_cells.h).
 */
#ifndef HEAPDIFF_PRELOAD_MEMO_GROUP_H
#define HEAPDIFF_PRELOAD_MEMO_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MEMO_GROUP = 4 };

/* Two offsets by one load. */
static inline uint64_t memo_offsets_read(const uint32_t offsets[2])
{
    uint64_t both;
    memcpy(&both, offsets, sizeof(both));
    return both;
}

/*
 * Each file defines:
 *     uintptr_t memo_cell_read(uintptr_t at)
 *     bool memo_group_same(uintptr_t base, const uint32_t offsets[MEMO_GROUP],
 *                          const uintptr_t values[MEMO_GROUP])
 * true when each of the cells at base + offset holds its value. `values` are aligned to 16 bytes.
 */
#if defined(__x86_64__)
#include "memo_group_x86_64.h"
#else
#include "memo_group_any.h"
#endif

#endif
