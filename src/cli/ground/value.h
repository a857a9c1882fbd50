/*
 * value.h - arithmetic on sample values that cannot overflow: it stops at the ends.
 *
 * Owns: nothing. Context: any. Not here: units (number_text.h).
 */
#ifndef HEAPDIFF_CLI_VALUE_H
#define HEAPDIFF_CLI_VALUE_H

#include <math.h>
#include <stdint.h>

static inline int64_t value_sum(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return a < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

static inline int64_t value_difference(int64_t a, int64_t b)
{
    int64_t difference;
    if (__builtin_sub_overflow(a, b, &difference))
        return a < 0 ? INT64_MIN : INT64_MAX;
    return difference;
}

static inline int64_t value_magnitude(int64_t a)
{
    return a == INT64_MIN ? INT64_MAX : a < 0 ? -a : a;
}

/* `a` times `ratio`, to the nearest, halves away from zero. */
static inline int64_t value_scaled(int64_t a, double ratio)
{
    double scaled = round((double)a * ratio);
    if (scaled >= 0x1p63)
        return INT64_MAX;
    return scaled <= -0x1p63 ? INT64_MIN : (int64_t)scaled;
}

#endif
