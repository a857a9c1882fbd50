/*
 * shapes.h - three sites whose live bytes change in known ways: two that stay, and one that is to be told from them.
 *
 * What it is: a round of a plateau (a tenth of it is made anew each time) and of a sawtooth (three rounds up, then
 *   nothing); the figures of a leak, which each program has in its own way.
 * Owns: their blocks. Context: programs and plugins of the e2e tests, one thread.
 */
#ifndef SHAPES_H
#define SHAPES_H

#include <stdlib.h>

enum { LEAKS = 2000, BLOCK_BYTES = 100, FLAT = 3000, TEETH = 1000, TOOTH_BYTES = 50 };

static __attribute__((noinline)) void plateau_site(int round)
{
    static void *volatile flat[FLAT];
    for (int i = 0; i < FLAT; i++)
        if (round == 0 || i % 10 == 0) {
            free(flat[i]);
            flat[i] = malloc(BLOCK_BYTES);
        }
}

static __attribute__((noinline)) void sawtooth_site(int round)
{
    static void *volatile teeth[4 * TEETH];
    static unsigned count;
    if (round % 4 == 3)
        while (count > 0)
            free(teeth[--count]);
    else
        for (int i = 0; i < TEETH; i++)
            teeth[count++] = malloc(TOOTH_BYTES);
}

#endif
