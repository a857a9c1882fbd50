/* Four cells on x86_64, by SSE2, which all of them have. See memo_group.h. */
#ifndef HEAPDIFF_PRELOAD_MEMO_GROUP_X86_64_H
#define HEAPDIFF_PRELOAD_MEMO_GROUP_X86_64_H

#include <emmintrin.h>

static inline __m128i memo_pair_read(uintptr_t base, uint64_t both)
{
    __m128d first = _mm_load_sd((const double *)(base + (uint32_t)both));
    return _mm_castpd_si128(_mm_loadh_pd(first, (const double *)(base + (both >> 32))));
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
