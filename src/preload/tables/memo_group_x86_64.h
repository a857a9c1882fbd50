/* Four cells on x86_64, by SSE2, which all of them have. See memo_group.h. */
#ifndef HEAPDIFF_PRELOAD_MEMO_GROUP_X86_64_H
#define HEAPDIFF_PRELOAD_MEMO_GROUP_X86_64_H

#include <emmintrin.h>

/* Not by C: sanitizers would take a cell of a frame that has gone for a mistake. */
static inline uintptr_t memo_cell_read(uintptr_t at)
{
    uintptr_t value;
    __asm__ volatile("movq (%1), %0" : "=r"(value) : "r"(at));
    return value;
}

static inline __m128i memo_pair_read(uintptr_t base, uint64_t both)
{
    __m128i pair;
    __asm__ volatile("movq (%1, %2), %0\n\t"
                     "movhps (%1, %3), %0"
                     : "=&x"(pair)
                     : "r"(base), "r"((uint64_t)(uint32_t)both), "r"(both >> 32));
    return pair;
}

/* By halves of cells: SSE2 compares no larger ones. */
static inline __m128i memo_pair_same(uintptr_t base, const uint32_t offsets[2],
                                     const uintptr_t values[2])
{
    __m128i wanted = _mm_load_si128((const __m128i *)values);
    return _mm_cmpeq_epi32(memo_pair_read(base, memo_offsets_read(offsets)), wanted);
}

static inline bool memo_group_same(uintptr_t base, const uint32_t offsets[MEMO_GROUP],
                                   const uintptr_t values[MEMO_GROUP])
{
    __m128i same = _mm_and_si128(memo_pair_same(base, offsets, values),
                                 memo_pair_same(base, offsets + 2, values + 2));
    return _mm_movemask_epi8(same) == 0xffff;
}

#endif
