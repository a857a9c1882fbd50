#include "plate_pages.h"

#include <stddef.h>

int plate_pages_left = -1;
void (*plate_pages_meanwhile)(void);

void *__real_sys_pages(size_t size_bytes);
void *__wrap_sys_pages(size_t size_bytes);

void *__wrap_sys_pages(size_t size_bytes)
{
    void (*meanwhile)(void) = __atomic_exchange_n(&plate_pages_meanwhile, NULL, __ATOMIC_RELAXED);
    if (meanwhile)
        meanwhile();
    int left = __atomic_load_n(&plate_pages_left, __ATOMIC_RELAXED);
    if (left > 0)
        __atomic_store_n(&plate_pages_left, left - 1, __ATOMIC_RELAXED);
    return left != 0 ? __real_sys_pages(size_bytes) : NULL;
}
