#include "comparison.h"

#include "estimate.h"
#include "input.h"
#include "cli/ground/message.h"

#include <stdlib.h>

static struct profile *load(const char *path)
{
    const char *reason;
    struct profile *profile = profile_load(path, &reason);
    if (!profile)
        message_error(input_name(path), "%s", reason);
    else
        estimate_fold(profile);
    return profile;
}

bool comparison_open(struct comparison *comparison, const struct diff_options *options)
{
    const char *reason;
    const char *base_path = comparison->base_path;
    if (base_path && !(comparison->base = load(base_path)))
        return false;
    comparison->shown = comparison->fresh = load(comparison->path);
    if (!comparison->fresh || !base_path)
        return comparison->fresh != NULL;
    comparison->diff =
        profile_diff(comparison->base, comparison->fresh, options, &comparison->match, &reason);
    comparison->shown = comparison->diff;
    return comparison->diff || message_error(input_name(comparison->path), "%s", reason);
}

void comparison_close(struct comparison *comparison)
{
    profile_free(comparison->diff);
    profile_free(comparison->fresh);
    profile_free(comparison->base);
    *comparison = (struct comparison){0};
}

int comparison_type(const struct comparison *comparison, const char *name)
{
    const struct profile *profile = comparison->shown;
    int type = name ? profile_type_meant(profile, name) : profile->default_type;
    if (type != PROFILE_NONE)
        return type;
    char *types = profile_types_text(profile);
    message_error(input_name(comparison->path), "no sample type \"%s\"; there are: %s", name,
                  types);
    free(types);
    return PROFILE_NONE;
}
