/*
 * diff_code.h - the mappings, functions and locations of a difference.
 *
 * What it is: those of the fresh side first, at the same indexes; of the base what its samples need and the fresh
 *   side has not.
 * Owns: its tables until diff_code_clear(); what it copies is the result's. Context: cli.
 * Not here: which code is the same (diff_key.h), samples (diff.c).
 */
#ifndef HEAPDIFF_CLI_DIFF_CODE_H
#define HEAPDIFF_CLI_DIFF_CODE_H

#include "diff_key.h"

struct diff_code {
    const struct profile *base, *fresh;
    struct profile *result;
    const struct diff_keys *keys;
    uint32_t *base_locations; /* where locations of the base went; UINT32_MAX: nowhere yet */
    uint32_t *same_locations; /* for each frame token the fresh location it is alone on */
    uint32_t frame_count;     /* frame tokens */
    int *base_mappings;       /* where mappings of the base went; PROFILE_NONE: nowhere yet */
    size_t base_functions;    /* where functions of the base begin */
};

/* Copies what the fresh side has, and makes room for what may come. */
void diff_code_copy(struct diff_code *code);

/* Readies the tables by which the base's code finds its place in the result. */
void diff_code_index(struct diff_code *code);

/* The result's location for one of the base: the fresh side's where it is the same. */
uint32_t diff_code_import(struct diff_code *code, uint32_t location);

void diff_code_clear(struct diff_code *code);

#endif
