/*
 * CRC-32 by PCLMULQDQ. A message is a polynomial, and its CRC is what it leaves over after division by P:
 * 128 bits that lie n bits before the message's end may be replaced by their product with x^n mod P.
 * Four registers run side by side, as one multiplication waits for the one before.
 */
#include "crc.h"

#include <cpuid.h>
#include <emmintrin.h>
#include <stdbool.h>
#include <string.h>
#include <wmmintrin.h>

enum { LANES = 4, LANE_BYTES = 16, STEP_BYTES = LANES * LANE_BYTES };

enum { CPU_UNKNOWN, CPU_HAS_IT, CPU_LACKS_IT };

static struct {
    int cpu; /* relaxed: whoever finds it unknown finds out the same */
} state;

/* Not by libc's or libgcc's tables, which a constructor may have yet to fill in. */
static int ask_cpu(void)
{
    unsigned a, b, c = 0, d;
    bool found = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_PCLMUL) != 0;
    int cpu = found ? CPU_HAS_IT : CPU_LACKS_IT;
    __atomic_store_n(&state.cpu, cpu, __ATOMIC_RELAXED);
    return cpu;
}

static bool cpu_multiplies(void)
{
    int cpu = __atomic_load_n(&state.cpu, __ATOMIC_RELAXED);
    return (cpu == CPU_UNKNOWN ? ask_cpu() : cpu) ==
           CPU_HAS_IT; /* cpuid traps in virtual machines */
}

static __m128i load(const unsigned char *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* `by`: x^(n + 32) and x^(n - 32) mod P, bits reversed, for the distance n to `next`. */
__attribute__((target("pclmul"))) static __m128i fold(__m128i lane, __m128i by, __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(lane, by, 0x00);
    __m128i high = _mm_clmulepi64_si128(lane, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

__attribute__((target("pclmul"))) static void fold_lanes(__m128i lanes[LANES],
                                                         const unsigned char *at,
                                                         const unsigned char *end)
{
    const __m128i by = _mm_set_epi64x(0x1c6e41596, 0x154442bd4); /* n = 512 */
    __m128i a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3];
    for (; at < end; at += STEP_BYTES) {
        a = fold(a, by, load(at));
        b = fold(b, by, load(at + LANE_BYTES));
        c = fold(c, by, load(at + 2 * LANE_BYTES));
        d = fold(d, by, load(at + 3 * LANE_BYTES));
    }
    lanes[0] = a, lanes[1] = b, lanes[2] = c, lanes[3] = d;
}

__attribute__((target("pclmul"))) static __m128i fold_together(const __m128i lanes[LANES])
{
    const __m128i by = _mm_set_epi64x(0xccaa009e, 0x1751997d0); /* n = 128 */
    __m128i sum = lanes[0];
    for (int i = 1; i < LANES; i++)
        sum = fold(sum, by, lanes[i]);
    return sum;
}

size_t crc_fold(uint32_t crc, const void *bytes, size_t size_bytes,
                unsigned char folded[CRC_FOLDED_BYTES])
{
    const unsigned char *at = bytes;
    size_t taken_bytes = size_bytes / STEP_BYTES * STEP_BYTES;
    __m128i lanes[LANES];
    if (taken_bytes == 0 || !cpu_multiplies())
        return 0;
    for (int i = 0; i < LANES; i++)
        lanes[i] = load(at + i * LANE_BYTES);
    lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128((int)crc));
    fold_lanes(lanes, at + STEP_BYTES, at + taken_bytes);
    __m128i sum = fold_together(lanes);
    memcpy(folded, &sum, CRC_FOLDED_BYTES);
    return taken_bytes;
}
