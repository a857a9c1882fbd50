/* Fuzz target: Go's heap profile as text. What is read of it must be whole, and not be below zero. */
#include "cli/go/go_facts.h"
#include "cli/go/go_text.h"

#include "cli/symbol/symbol.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

void symbolize(struct profile *profile)
{
    (void)profile;
}

static void check_sample(const struct profile *profile, const struct sample *sample)
{
    for (size_t i = 0; i < profile->type_count; i++)
        assert(sample->values[i] >= 0);
    for (size_t i = 0; i < sample->depth; i++) {
        assert(sample->locations[i] < profile->location_count);
        const struct location *location = &profile->locations[sample->locations[i]];
        for (size_t line = 0; line < location->line_count; line++)
            assert((size_t)location->lines[line].function < profile->function_count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    const char *reason = NULL;
    if (!go_text_is(bytes, size_bytes))
        return 0;
    struct profile *profile = go_text_decode(bytes, size_bytes, &reason);
    assert(profile || reason);
    if (!profile)
        return 0;
    for (size_t i = 0; i < profile->sample_count; i++)
        check_sample(profile, &profile->samples[i]);
    go_facts_of(profile);
    profile_free(profile);
    return 0;
}
