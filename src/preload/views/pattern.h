/*
 * pattern.h - the names of the profiles.
 *
 * What it is: out= with %n name, %p pid, %c counter, %h host, %t time (seconds since 1970), %% itself;
 *   made absolute once, so that a program that changes its directory writes where it was started.
 * Owns: nothing. Context: pattern_absolute() at start-up, pattern_expand() also in handlers.
 * Not here: creating the file (snapshot.h).
 */
#ifndef HEAPDIFF_PRELOAD_PATTERN_H
#define HEAPDIFF_PRELOAD_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pattern_values {
    const char *name;
    const char *host;
    uint64_t pid;
    uint64_t counter;
    uint64_t time_s;
};

/* `out` below `directory` (a '%' in the directory is doubled). False when it does not fit. */
bool pattern_absolute(char *pattern, size_t room_bytes, const char *directory, const char *out);

/* False when the name does not fit into `path`. */
bool pattern_expand(char *path, size_t room_bytes, const char *pattern,
                    const struct pattern_values *values);

/* Whether two counters give two names. */
bool pattern_counts(const char *pattern);

#endif
