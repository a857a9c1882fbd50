/* A plugin of weak_purge. */
#include <stddef.h>

int mallctl(const char *, void *, size_t *, void *, size_t);

__attribute__((visibility("default"))) int purge(void);

int purge(void)
{
    return mallctl("arena.0.purge", NULL, NULL, NULL, 0);
}
