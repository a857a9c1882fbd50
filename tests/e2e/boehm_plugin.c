/* A plugin of boehm_apart. */
#include <gc.h>

__attribute__((visibility("default"))) void *plugin_object(void);

void *plugin_object(void)
{
    return GC_malloc(40);
}
