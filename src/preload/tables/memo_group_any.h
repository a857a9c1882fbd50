/* Four cells on a processor of which nothing is assumed. See memo_group.h. */
#ifndef HEAPDIFF_PRELOAD_MEMO_GROUP_ANY_H
#define HEAPDIFF_PRELOAD_MEMO_GROUP_ANY_H

static inline uintptr_t memo_cell_read(uintptr_t at)
{
    return *(const uintptr_t *)at;
}

/* What differs between two cells and their values. */
static inline uintptr_t memo_pair_differs(uintptr_t base, const uint32_t offsets[2],
                                          const uintptr_t values[2])
{
    uint64_t both = memo_offsets_read(offsets);
    return (memo_cell_read(base + (uint32_t)both) ^ values[0]) |
           (memo_cell_read(base + (both >> 32)) ^ values[1]);
}

static inline bool memo_group_same(uintptr_t base, const uint32_t offsets[MEMO_GROUP],
                                   const uintptr_t values[MEMO_GROUP])
{
    return (memo_pair_differs(base, offsets, values) |
            memo_pair_differs(base, offsets + 2, values + 2)) == 0;
}

#endif
