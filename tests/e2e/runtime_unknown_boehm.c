#include "runtime_unknown.h"

#include <stddef.h>

FORBIDDEN(GC_set_on_collection_event)
FORBIDDEN(GC_get_on_collection_event)
FORBIDDEN(GC_is_marked)
FORBIDDEN(GC_base)
FORBIDDEN(GC_size)
FORBIDDEN(GC_register_has_static_roots_callback)

unsigned GC_get_version(void);
void *GC_malloc(size_t bytes);

unsigned GC_get_version(void)
{
    return 99 << 16;
}

void *GC_malloc(size_t bytes)
{
    static char room[64];
    return bytes <= sizeof(room) ? room : NULL;
}

void unknown_use(void)
{
    if (!GC_malloc(16))
        abort();
}
