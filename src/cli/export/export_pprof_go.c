#include "export.h"

#include "cli/ground/memory.h"

#include <stdlib.h>
#include <string.h>

enum { GO_TYPES = 4, GO_DEFAULT_TYPE = 3 };

/* Go's list; `other`: the same thing in profiles of tcmalloc and of C++. */
static const struct {
    const char *type, *unit, *other;
} go_types[GO_TYPES] = {{"alloc_objects", "count", NULL},
                        {"alloc_space", "bytes", NULL},
                        {"inuse_objects", "count", "objects"},
                        {"inuse_space", "bytes", "space"}};

static int source_of(const struct profile *profile, size_t type)
{
    int index = profile_type(profile, go_types[type].type);
    if (index == PROFILE_NONE && go_types[type].other != NULL)
        index = profile_type(profile, go_types[type].other);
    return index;
}

bool export_pprof_go_possible(const struct profile *profile)
{
    for (size_t i = 0; i < GO_TYPES; i++)
        if (source_of(profile, i) != PROFILE_NONE)
            return true;
    return false;
}

/* Fills in values[GO_TYPES]; false when all are 0. */
static bool values_take(const struct profile *profile, const struct sample *sample, int64_t *values)
{
    bool any = false;
    for (size_t i = 0; i < GO_TYPES; i++) {
        int source = source_of(profile, i);
        values[i] = source == PROFILE_NONE ? 0 : sample->values[source];
        any |= values[i] != 0;
    }
    return any;
}

/* A copy of the profile's top with other types and values; all else is shared. */
bool export_pprof_go(const struct profile *profile, struct sink *sink)
{
    struct profile go = *profile;
    struct value_type types[GO_TYPES];
    int64_t *values = memory_zeroed(profile->sample_count * GO_TYPES, sizeof(*values));
    for (size_t i = 0; i < GO_TYPES; i++)
        types[i] = (struct value_type){go_types[i].type, go_types[i].unit};
    go.types = types;
    go.type_count = GO_TYPES;
    go.default_type = GO_DEFAULT_TYPE;
    go.period_type = (struct value_type){"space", "bytes"};
    go.samples = memory_zeroed(profile->sample_count, sizeof(*go.samples));
    go.sample_count = 0;
    for (size_t i = 0; i < profile->sample_count; i++) {
        int64_t *taken = &values[go.sample_count * GO_TYPES];
        if (!values_take(profile, &profile->samples[i], taken))
            continue;
        go.samples[go.sample_count] = profile->samples[i];
        go.samples[go.sample_count++].values = taken;
    }
    bool written = export_pprof(&go, sink);
    free(go.samples);
    free(values);
    return written;
}
