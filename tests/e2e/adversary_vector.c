/* The adversary's vector code: locals that need more alignment than the ABI's stack has. */
#include "adversary.h"

#include <string.h>

typedef float lanes __attribute__((vector_size(64)));

#if defined(__x86_64__)
#define WIDEST       __attribute__((target("avx2")))
#define HAS_WIDEST() __builtin_cpu_supports("avx2")
#else
#define WIDEST
#define HAS_WIDEST() 1
#endif

PLACE static void vector_leaf(lanes *sum)
{
    __asm__ volatile("" : : "r"(sum) : "memory");
    adversary_allocate();
    STAY();
}

/* More values than there are registers, alive over a call: all are spilled. */
PLACE WIDEST static float vector_wide(const float *from)
{
    lanes values[4], sum = {0};
    memcpy(values, from, sizeof(values));
    for (int i = 0; i < 4; i++)
        sum += values[i] * values[3 - i];
    vector_leaf(&sum);
    return (sum + values[1])[0];
}

PLACE static float vector_plain(const float *from)
{
    lanes value, twice;
    memcpy(&value, from, sizeof(value));
    twice = value + value;
    vector_leaf(&twice);
    return (twice * value)[1];
}

void adversary_vector(void)
{
    float numbers[64] = {1, 2, 3};
    volatile float result = vector_plain(numbers);
    result += HAS_WIDEST() ? vector_wide(numbers) : vector_plain(numbers);
    (void)result;
}
