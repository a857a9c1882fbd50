/*
 * self_profile.h - a profile whose one mapping is the test program itself.
 *
 * Owns: nothing; the profile is freed by profile_free(). Context: cli tests. Not here: the tests.
 */
#ifndef HEAPDIFF_TESTS_SELF_PROFILE_H
#define HEAPDIFF_TESTS_SELF_PROFILE_H

#include "cli/profile/profile.h"

/*
 * A profile with a sample of one location a return address. The mapping carries the program's build
 * id, and `path` in place of its own path unless that is NULL.
 */
struct profile *self_profile(const char *path, const uint64_t *return_addresses, size_t count);

/* The mapping's build id in hex. */
const char *self_build_id(void);

/* The location's lines as "function file.c:line < caller file.c:line", without directories. */
const char *self_lines(const struct profile *profile, size_t location);

#endif
