#include "go_scale.h"

#include <math.h>

static int64_t scaled(int64_t value, double scale)
{
    double result = (double)value * scale;
    return result < 0x1p63 ? (int64_t)result : INT64_MAX; /* cut off, not rounded: as pprof does */
}

void go_scale(int64_t *objects, int64_t *bytes, int64_t rate)
{
    if (rate <= 1 || *objects <= 0 || *bytes <= 0)
        return;
    double mean_bytes = (double)*bytes / (double)*objects;
    double scale = 1 / (1 - exp(-mean_bytes / (double)rate));
    *objects = scaled(*objects, scale);
    *bytes = scaled(*bytes, scale);
}
