/* One of two libraries with a function of jemalloc's name: it says which one it is. */
#include <stddef.h>

__attribute__((visibility("default"))) int mallctl(const char *name, void *old, size_t *old_bytes,
                                                   void *new, size_t new_bytes);

int mallctl(const char *name, void *old, size_t *old_bytes, void *new, size_t new_bytes)
{
    (void)name, (void)old, (void)old_bytes, (void)new, (void)new_bytes;
    return TWIN;
}
