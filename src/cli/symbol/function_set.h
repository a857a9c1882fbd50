/*
 * function_set.h - the functions that symbolizing adds to a profile, each once.
 *
 * Owns: its table until function_set_close(). Context: cli. Not here: looking functions up (image.h).
 */
#ifndef HEAPDIFF_CLI_FUNCTION_SET_H
#define HEAPDIFF_CLI_FUNCTION_SET_H

#include "cli/profile/profile.h"

struct function_set;

struct function_set *function_set_open(struct profile *profile);

/* What tells functions apart. Texts are never NULL; "" is unknown, as is line 0. */
struct function_key {
    const char *readable;    /* "": what demangling system_name gives */
    const char *system_name; /* as the linker knows it */
    const char *directory;   /* what a relative filename is relative to */
    const char *filename;
    int64_t start_line;
};

/* The function's index in the profile, as it will be once the set is closed. */
int function_set_add(struct function_set *set, const struct function_key *key);

/* Hands the functions to the profile and frees the set. */
void function_set_close(struct function_set *set);

#endif
