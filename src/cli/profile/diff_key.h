/*
 * diff_key.h - when two samples of two profiles are the same one.
 *
 * What it is: a sample's key is a list of tokens, one or more for each frame and one for each label;
 *   equal keys, same site. A frame's token is made of (object, file offset), or of the function's
 *   name and file where the object was rebuilt.
 * Owns: its tables until diff_keys_clear(). Context: cli. Not here: adding values up (diff.c).
 */
#ifndef HEAPDIFF_CLI_DIFF_KEY_H
#define HEAPDIFF_CLI_DIFF_KEY_H

#include "diff_object.h"

/* Tokens of one location: tokens[start[i]] up to tokens[start[i + 1]]. */
struct diff_location_tokens {
    size_t *starts;
    uint32_t *tokens;
    size_t count, capacity;
};

struct diff_keys {
    const struct diff_objects *objects;
    struct token_table frames, texts, composites, labels, samples;
    struct diff_location_tokens locations[DIFF_SIDES];
    uint32_t *key; /* of the sample at hand */
    size_t key_count, key_capacity;
    uint32_t unknown; /* the frame token of code that cannot be told apart */
};

/* Names every location of both sides. `same_process`: addresses of code without a file compare too. */
void diff_keys_open(struct diff_keys *keys, const struct diff_objects *objects,
                    const struct profile *base, const struct profile *fresh, bool same_process);

/* The token of a sample's key; *fresh tells whether no sample had it before. */
uint32_t diff_key_of(struct diff_keys *keys, enum diff_side side, const struct sample *sample,
                     bool *fresh);

void diff_keys_clear(struct diff_keys *keys);

#endif
