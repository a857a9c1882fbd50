/*
 * text_profile.h - profiles for tests, from stacks written as text.
 *
 * Owns: nothing; the profile is freed by profile_free(). Context: cli tests. Not here: the tests.
 */
#ifndef HEAPDIFF_TESTS_TEXT_PROFILE_H
#define HEAPDIFF_TESTS_TEXT_PROFILE_H

#include "cli/profile/profile.h"

struct text_profile {
    const char *file, *build_id; /* of the one mapping; NULL: "/bin/app", "ab" */
    uint64_t start;              /* of the mapping; 0: 0x1000 */
    uint64_t shift;              /* added to every offset: what another build does to addresses */
    bool nameless;               /* addresses only */
    const char *stacks;          /* lines "root;caller;leaf OBJECTS BYTES [KIND]"; "a/b": a inlined
                                    into b at one address */
};

/* Types inuse_objects/count and inuse_space/bytes, the latter the default. The offset of a frame is
   a hash of its text, its source line 1 + hash % 100 of FUNCTION.c. */
struct profile *text_profile(const struct text_profile *text);

#endif
