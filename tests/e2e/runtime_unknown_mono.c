#include "runtime_unknown.h"

FORBIDDEN(mono_profiler_create)
FORBIDDEN(mono_profiler_set_gc_event_callback)

char *mono_get_runtime_build_info(void);
void mono_free(void *block);

static char version[] = "99.1.0 (tarball of some day)";

char *mono_get_runtime_build_info(void)
{
    return version;
}

void mono_free(void *block)
{
    if (block != version)
        abort();
}

void unknown_use(void)
{
}
