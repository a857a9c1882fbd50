/*
 * small_profile.h - a symbolized profile of two stacks, with one of everything a profile can have.
 *
 * Owns: nothing; the profile is freed by profile_free(). Context: cli tests. Not here: the tests.
 */
#ifndef HEAPDIFF_TESTS_SMALL_PROFILE_H
#define HEAPDIFF_TESTS_SMALL_PROFILE_H

#include "cli/profile/profile.h"

/*
 * main > outer > inner (inlined) with inuse_space 100 and main > "a;b" with 20; types inuse_objects
 * and inuse_space. With `diff`, values are changes (-50, 20) and the base is 150 and 0.
 */
struct profile *small_profile(bool diff);

#endif
