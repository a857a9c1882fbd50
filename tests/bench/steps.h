/*
 * steps.h - 64 functions that call each other, and report() at the end.
 *
 * Context: benchmarks of captures. report() is the file's that includes this, behind it.
 */
#ifndef STEPS_H
#define STEPS_H

static void report(void);

/* Frames of different sizes, each with a return address of its own. */
typedef unsigned (*step_fn)(unsigned left);
static const step_fn steps[64];

#define STEP(n)                                                       \
    static __attribute__((noinline)) unsigned step_##n(unsigned left) \
    {                                                                 \
        volatile char bytes[8 * (n) + 8];                             \
        bytes[0] = 1;                                                 \
        if (left == 0)                                                \
            report();                                                 \
        else                                                          \
            left = steps[left % 64](left - 1);                        \
        return left + (unsigned)bytes[0];                             \
    }
#define STEPS_OF_8(use, n) \
    use(n##0) use(n##1) use(n##2) use(n##3) use(n##4) use(n##5) use(n##6) use(n##7)
#define STEPS_OF_64(use) \
    STEPS_OF_8(use, 0)   \
    STEPS_OF_8(use, 1)   \
    STEPS_OF_8(use, 2)   \
    STEPS_OF_8(use, 3)   \
    STEPS_OF_8(use, 4) STEPS_OF_8(use, 5) STEPS_OF_8(use, 6) STEPS_OF_8(use, 7)
#define STEP_NAME(n) step_##n,

STEPS_OF_64(STEP)
static const step_fn steps[64] = {STEPS_OF_64(STEP_NAME)};

#endif
