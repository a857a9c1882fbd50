/*
 * chain.h - who called a site: its stacks boiled down to the one way that most of its value took.
 *
 * What it is: from the site's function outward, at every step the caller with the largest share.
 * Owns: nothing; names point into the profile. Context: cli. Not here: printing.
 */
#ifndef HEAPDIFF_CLI_CHAIN_H
#define HEAPDIFF_CLI_CHAIN_H

#include "tree.h"

enum { CHAIN_STEPS_MAX = 12 }; /* no line shows more */

struct chain_step {
    const struct function *function;
    double share;   /* of the site's value that came this way: 0..1 */
    unsigned times; /* in a row: recursion */
};

struct chain {
    struct chain_step steps[CHAIN_STEPS_MAX]; /* nearest caller first */
    size_t count;
    bool more; /* callers were left out at the end */
};

struct chain chain_of(const struct tree *tree, uint32_t node);

#endif
