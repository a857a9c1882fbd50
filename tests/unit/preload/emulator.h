/*
 * emulator.h - what qemu-user does not do for the programs it runs.
 *
 * What it is: tests of such things skip there, and say what they have missed. meson says by HEAPDIFF_EMULATED
 *   that a program does not run on the processor itself.
 * Owns: nothing. Context: unit tests. Not here: what heapdiff does without it (guard.c, facts.c).
 */
#ifndef HEAPDIFF_TEST_EMULATOR_H
#define HEAPDIFF_TEST_EMULATOR_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Use: if (emulator_lacks("...")) skip(); */
static inline bool emulator_lacks(const char *what)
{
    if (!getenv("HEAPDIFF_EMULATED"))
        return false;
    printf("qemu-user has no %s\n", what);
    return true;
}

#endif
