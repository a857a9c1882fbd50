/*
 * digits: the continued fraction of the square root of a large number, and its convergents, by numbers that
 * live on the heap: every operation allocates its result, and its operands go soon after. Little work a block.
 *
 *     digits STEPS
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 wide;

enum { LIMB_BITS = 32, LIMBS_MAX = 4 };

struct number {
    unsigned length;
    uint32_t limbs[];
};

static __attribute__((noinline)) struct number *number_new(wide value)
{
    unsigned length = 1;
    while (length < LIMBS_MAX && value >> (length * LIMB_BITS))
        length++;
    struct number *number = malloc(sizeof *number + length * sizeof *number->limbs);
    if (!number)
        exit(1);
    number->length = length;
    for (unsigned i = 0; i < length; i++)
        number->limbs[i] = (uint32_t)(value >> (i * LIMB_BITS));
    return number;
}

static wide number_value(const struct number *number)
{
    wide value = 0;
    for (unsigned i = number->length; i-- > 0;)
        value = value << LIMB_BITS | number->limbs[i];
    return value;
}

/* Each takes new operands and gives back a new number; the caller's operands stay. */
static struct number *number_add(const struct number *left, const struct number *right)
{
    return number_new(number_value(left) + number_value(right));
}

static struct number *number_subtract(const struct number *left, const struct number *right)
{
    return number_new(number_value(left) - number_value(right));
}

static struct number *number_multiply(const struct number *left, const struct number *right)
{
    return number_new(number_value(left) * number_value(right));
}

static struct number *number_divide(const struct number *left, const struct number *right)
{
    return number_new(number_value(left) / number_value(right));
}

static struct number *number_remainder(const struct number *left, const struct number *right)
{
    return number_new(number_value(left) % number_value(right));
}

static void number_replace(struct number **place, struct number *value)
{
    free(*place);
    *place = value;
}

/* sqrt(radicand) = q0 + 1 / (q1 + 1 / ...): (root + p) / q, and the numerators a modulo the radicand. */
struct fraction {
    struct number *radicand, *root, *p, *q, *a, *a_before;
};

static void fraction_step(struct fraction *fraction)
{
    struct number *sum = number_add(fraction->root, fraction->p);
    struct number *term = number_divide(sum, fraction->q);
    struct number *product = number_multiply(term, fraction->q);
    number_replace(&fraction->p, number_subtract(product, fraction->p));
    struct number *square = number_multiply(fraction->p, fraction->p);
    struct number *rest = number_subtract(fraction->radicand, square);
    number_replace(&fraction->q, number_divide(rest, fraction->q));
    struct number *scaled = number_multiply(term, fraction->a);
    struct number *next = number_add(scaled, fraction->a_before);
    number_replace(&fraction->a_before, fraction->a);
    fraction->a = number_remainder(next, fraction->radicand);
    struct number *temporaries[] = {sum, term, product, square, rest, scaled, next};
    for (unsigned i = 0; i < sizeof temporaries / sizeof *temporaries; i++)
        free(temporaries[i]);
}

static struct number *square_root(wide radicand)
{
    wide low = 0, high = (wide)1 << 32;
    while (high - low > 1) {
        wide middle = (low + high) / 2;
        if (middle * middle <= radicand)
            low = middle;
        else
            high = middle;
    }
    return number_new(low);
}

int main(int count, char **arguments)
{
    const wide radicand = 2109798858785618491u; /* two primes multiplied: a long period */
    struct fraction fraction = {number_new(radicand), square_root(radicand), number_new(0),
                                number_new(1),        number_new(1),         number_new(0)};
    long steps = count > 1 ? atol(arguments[1]) : 1000;
    for (long i = 0; i < steps; i++)
        fraction_step(&fraction);
    printf("%08x\n", fraction.a->limbs[0]);
    return 0;
}
