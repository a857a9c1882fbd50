/*
 * events: malloc and free of 64 bytes, over and over, at the bottom of a chain of calls; prints the
 * nanoseconds of a pair. The same program plain and recorded, in turn, tells what recording adds.
 *
 *     events bare DEPTH         one stack, malloc called by the loop itself
 *     events same DEPTH         one stack
 *     events leaves DEPTH       four tails of three frames take turns over one base, as in real programs
 *     events shuffled DEPTH     eight such tails in an order that no branch predictor knows
 *     events tall DEPTH         one stack, with a frame of 32 KiB in its midst
 *     events random DEPTH       2000 stacks that have main in common and little else
 *     events KIND DEPTH PAIRS   so many pairs, nothing measured: for counting instructions
 *
 * DEPTH is the number of callers of malloc, main included.
 */
#include "measure.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEPTH_MAX = 250,
    TAILS = 8,
    TAIL_FRAMES = 3,
    BASE_FRAMES = 5, /* main, measure, run, the loop, and the step that ends the descent */
    ORDER = 4096,    /* tails in a row before the order repeats */
    TALL_BYTES = 32768,
    STACKS = 2000, /* as in the measurements that the targets come from */
    BATCH_PAIRS = 4000,
    RANDOM_PAIRS = STACKS
};

static void *volatile sink;

#define CALL_IS_NO_JUMP() __asm__ volatile("")

#define TAIL(n)                                            \
    static __attribute__((noinline)) void leaf_##n(void)   \
    {                                                      \
        void *block = malloc(64);                          \
        sink = block;                                      \
        free(block);                                       \
        CALL_IS_NO_JUMP();                                 \
    }                                                      \
    static __attribute__((noinline)) void middle_##n(void) \
    {                                                      \
        leaf_##n();                                        \
        CALL_IS_NO_JUMP();                                 \
    }                                                      \
    static __attribute__((noinline)) void tail_##n(void)   \
    {                                                      \
        middle_##n();                                      \
        CALL_IS_NO_JUMP();                                 \
    }
TAIL(0)
TAIL(1)
TAIL(2)
TAIL(3)
TAIL(4)
TAIL(5)
TAIL(6)
TAIL(7)

static void (*const tails[TAILS])(void) = {tail_0, tail_1, tail_2, tail_3,
                                           tail_4, tail_5, tail_6, tail_7};

struct plan {
    const char *kind;
    int frames; /* of the descent, above the tail */
    long pairs;
    unsigned tails;
    bool shuffled;
    void (*turns)(long count);
    unsigned char order[ORDER];
    unsigned char choices[STACKS][DEPTH_MAX]; /* of the step at each depth */
};

static struct plan plan;

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

static __attribute__((noinline)) void turns(long count)
{
    for (long i = 0; i < count; i++)
        tails[plan.shuffled ? plan.order[i % ORDER] : (unsigned)i % plan.tails]();
}

static __attribute__((noinline)) void bare(long count)
{
    for (long i = 0; i < count; i++) {
        void *block = malloc(64);
        sink = block;
        free(block);
    }
}

static __attribute__((noinline)) void tall(long count)
{
    char frame[TALL_BYTES];
    __asm__ volatile("" : : "r"(frame) : "memory");
    for (long i = 0; i < count; i++)
        tails[(unsigned)i % plan.tails]();
    __asm__ volatile("" : : "r"(frame) : "memory");
}

typedef void step_fn(int left, const unsigned char *choices, long count);
static step_fn *const steps[TAILS];

/* Each step has its own place of calling on and its own frame size. */
#define STEP(n)                                                                            \
    static __attribute__((noinline)) void step_##n(int left, const unsigned char *choices, \
                                                   long count)                             \
    {                                                                                      \
        char frame[16 * (n) + 8];                                                          \
        if (left > 0)                                                                      \
            steps[choices[left]](left - 1, choices, count);                                \
        else                                                                               \
            plan.turns(count);                                                             \
        __asm__ volatile("" : : "r"(frame) : "memory");                                    \
    }
STEP(0)
STEP(1)
STEP(2)
STEP(3)
STEP(4)
STEP(5)
STEP(6)
STEP(7)

static step_fn *const steps[TAILS] = {step_0, step_1, step_2, step_3,
                                      step_4, step_5, step_6, step_7};

static void run_base(void *argument, long count)
{
    (void)argument;
    step_0(plan.frames, plan.choices[0], count);
    CALL_IS_NO_JUMP();
}

static void run_random(void *argument, long count)
{
    (void)argument;
    for (long i = 0; i < count; i++)
        steps[plan.choices[i % STACKS][0]](plan.frames, plan.choices[i % STACKS], 1);
}

static bool is(const char *kind)
{
    return strcmp(plan.kind, kind) == 0;
}

static bool plan_read(int count, char **arguments)
{
    static const char kinds[] = " bare same leaves shuffled tall random ";
    if ((count != 3 && count != 4) || !strstr(kinds, arguments[1]))
        return false;
    plan.kind = arguments[1];
    plan.turns = is("bare") ? bare : is("tall") ? tall : turns;
    plan.frames = atoi(arguments[2]) - BASE_FRAMES - (plan.turns == bare ? 0 : TAIL_FRAMES);
    plan.pairs = count == 4 ? atol(arguments[3]) : 0;
    plan.tails = is("leaves") ? 4 : 1;
    plan.shuffled = is("shuffled");
    return plan.frames >= 0 && plan.frames < DEPTH_MAX;
}

static void plan_fill(void)
{
    uint32_t state = 1;
    for (int i = 0; i < ORDER; i++)
        plan.order[i] = next_random(&state) % TAILS;
    for (int stack = 0; stack < STACKS; stack++)
        for (int depth = 0; depth < DEPTH_MAX; depth++)
            plan.choices[stack][depth] = next_random(&state) % TAILS;
}

int main(int count, char **arguments)
{
    if (!plan_read(count, arguments))
        return 2;
    plan_fill();
    bool random = is("random");
    work_fn *run = random ? run_random : run_base;
    if (plan.pairs)
        run(NULL, plan.pairs);
    else
        printf("%.2f\n", measure_least_ns(run, NULL, random ? RANDOM_PAIRS : BATCH_PAIRS));
    return 0;
}
