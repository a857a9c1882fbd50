/*
 * ledger_profile.h - profiles with a ledger, for tests, from stacks written as text.
 *
 * Owns: nothing; the profile is freed by profile_free(). Context: cli tests. Not here: the tests.
 */
#ifndef HEAPDIFF_TESTS_LEDGER_PROFILE_H
#define HEAPDIFF_TESTS_LEDGER_PROFILE_H

#include "text_profile.h"

/* Of lines "root;caller;leaf INUSE RESIDENT KIND" (text_profile.h), both in bytes; without facts. */
static inline struct profile *ledger_profile(const char *stacks)
{
    struct profile *profile = text_profile(&(struct text_profile){.stacks = stacks});
    profile->types[0] = (struct value_type){"inuse_space", "bytes"};
    profile->types[1] = (struct value_type){"resident_space", "bytes"};
    return profile;
}

/* Gives it facts; `facts` has to outlive it. */
static inline struct profile *ledger_facts(struct profile *profile, const char **facts,
                                           size_t count)
{
    profile->comments = facts;
    profile->comment_count = count;
    return profile;
}

#endif
