/*
 * Fuzz target: two profiles compared. The input is the length of the first (four bytes,
 * little-endian) and then both, one after the other.
 */
#include "cli/profile/diff.h"
#include "cli/symbol/symbol.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

/* Rebuilt programs get names as they would: one line for each location that has none. */
void symbolize(struct profile *profile)
{
    if (profile->function_count == 0)
        return;
    for (size_t i = 0; i < profile->location_count; i++) {
        struct location *location = &profile->locations[i];
        if (location->line_count > 0)
            continue;
        location->lines = profile_alloc(profile, 1, sizeof *location->lines);
        location->lines[0].function = (int)(location->address % profile->function_count);
        location->line_count = 1;
    }
}

static void check(const struct profile *diff)
{
    for (size_t i = 0; i < diff->sample_count; i++)
        for (size_t j = 0; j < diff->samples[i].depth; j++)
            if (diff->samples[i].locations[j] >= diff->location_count)
                abort();
    for (size_t i = 0; i < diff->location_count; i++) {
        const struct location *location = &diff->locations[i];
        if (location->mapping >= (int)diff->mapping_count)
            abort();
        for (size_t j = 0; j < location->line_count; j++)
            if (location->lines[j].function >= (int)diff->function_count)
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    if (size_bytes < 4)
        return 0;
    size_t first = (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16;
    if (first > size_bytes - 4)
        return 0;
    const char *reason;
    struct profile *base = profile_decode(bytes + 4, first, &reason);
    struct profile *fresh = profile_decode(bytes + 4 + first, size_bytes - 4 - first, &reason);
    if (base && fresh) {
        enum diff_match match;
        struct diff_options options = {.normalize = bytes[3] & 1};
        struct profile *diff = profile_diff(base, fresh, &options, &match, &reason);
        if (diff)
            check(diff);
        profile_free(diff);
    }
    profile_free(base);
    profile_free(fresh);
    return 0;
}
