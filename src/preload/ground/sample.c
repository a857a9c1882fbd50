#include "sample.h"

#include "sys.h"
#include "format/box.h"

enum { SAMPLE_FULL = 255, SAMPLE_EACH = 128 /* nothing is passed by */, SAMPLE_FRACTION_BITS = 53 };

/* Each free looks at it: where its function's address is too, not pages away. */
struct sample sample __attribute__((section(".data")));
unsigned char sample_filter[SAMPLE_FILTER_BYTES];
__thread size_t sample_left_bytes;
static __thread uint64_t random_state;
static __thread uint32_t start_seen; /* that random_state is of */
static uint32_t starts;              /* of sampling: 0 or 1, more in tests */
static uint64_t seeds;               /* handed out to threads; atomic */

static const double ln_2 = 0.693147180559945309417;

/* One of 2^64 numbers, well mixed: a counter stepped by the golden ratio. */
static uint64_t random_next(void)
{
    random_state += 0x9e3779b97f4a7c15ull;
    uint64_t mixed = random_state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebull;
    return mixed ^ (mixed >> 31);
}

/* -ln(x) for 0 < x <= 1, to 1e-12: x = m * 2^-e, and ln(m) by the series of atanh. */
static double minus_log(double x)
{
    double exponent = 0;
    while (x < 0.70710678118654752) {
        x *= 2;
        exponent++;
    }
    double z = (x - 1) / (x + 1), square = z * z, sum = 0;
    for (int i = 21; i > 0; i -= 2)
        sum = sum * square + 1.0 / i;
    return exponent * ln_2 - 2 * z * sum;
}

/* 1 - exp(-x) for x >= 0, to 1e-12, near 0 too: e^-x = (e^(-x/2^n))^(2^n), by parts below 1. */
static double chance(double x)
{
    if (x > 40)
        return 1;
    int halvings = 0;
    for (; x > 0.25; x /= 2)
        halvings++;
    double term = x, sum = x; /* of 1 - exp(-x) = x - x^2/2 + x^3/6 ... */
    for (int i = 2; i <= 12; i++) {
        term *= -x / i;
        sum += term;
    }
    while (halvings-- > 0) /* 1 - (1 - s)^2 */
        sum = sum * (2 - sum);
    return sum;
}

/* How many bytes are passed over: the whole ones of a distance. */
static size_t draw(void)
{
    uint64_t fraction = (random_next() >> (64 - SAMPLE_FRACTION_BITS)) + 1;
    double uniform = (double)fraction / (double)(1ull << SAMPLE_FRACTION_BITS);
    return (size_t)((double)sample.period_bytes * minus_log(uniform));
}

void sample_init(void)
{
    sample_filter[0] = SAMPLE_EACH;
}

/* In this order: memory of ours that is watched is at no time passed by. */
static void use_filter(void)
{
    if (sample.filter_mask != 0)
        return;
    __atomic_store_n(&sample.filter_mask, SAMPLE_FILTER_BYTES - 1, __ATOMIC_RELEASE);
    __atomic_fetch_and(&sample_filter[0], SAMPLE_EACH - 1, __ATOMIC_RELEASE);
}

void sample_start(uint64_t period_bytes, uint64_t seed)
{
    /* Neighbouring seeds are far apart: the threads of one run take one number after another. */
    seeds = (seed ? seed : sys_time_ns()) * 0x9e3779b97f4a7c15ull;
    starts++;
    sample.period_bytes = period_bytes;
    use_filter();
}

void sample_end(void)
{
    use_filter();
    sample.ended = true;
}

bool sample_decides(size_t size_bytes)
{
    if (start_seen != starts) { /* the thread's first */
        start_seen = starts;
        random_state = __atomic_add_fetch(&seeds, 1, __ATOMIC_RELAXED) * 0xd1342543de82ef95ull;
        sample_left_bytes = draw();
    }
    if (sample_counts_down(size_bytes))
        return true;
    sample_left_bytes = draw();
    return false;
}

static unsigned char *watched(uintptr_t address)
{
    return &sample_filter[(address >> SAMPLE_SPAN_SHIFT) & (SAMPLE_FILTER_BYTES - 1)];
}

void sample_watch(uintptr_t address)
{
    unsigned char *count = watched(address), now = __atomic_load_n(count, __ATOMIC_RELAXED);
    while (now < SAMPLE_FULL && !__atomic_compare_exchange_n(count, &now, now + 1, true,
                                                             __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

void sample_unwatch(uintptr_t address)
{
    unsigned char *count = watched(address), now = __atomic_load_n(count, __ATOMIC_RELAXED);
    /* A full count has lost track, and stays. */
    while (now < SAMPLE_FULL && now > 0 &&
           !__atomic_compare_exchange_n(count, &now, now - 1, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
        ;
}

void sample_weigh(uint64_t size_bytes, uint64_t count, uint64_t *objects, uint64_t *bytes)
{
    if (sample.period_bytes == 0) {
        *objects += count;
        *bytes += count * size_bytes;
        return;
    }
    /* A block of no bytes is never sampled; the weight of one byte is the limit. */
    double size = size_bytes > 0 ? (double)size_bytes : 1;
    double weight = 1 / chance(size / (double)sample.period_bytes);
    *objects += count * (uint64_t)(weight * BOX_OBJECT_PARTS + 0.5);
    *bytes += count * (uint64_t)(weight * (double)size_bytes + 0.5);
}
