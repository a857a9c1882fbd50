#include "fake_pages.h"

#include "preload/ground/sys.h"

#include <sys/mman.h>

int fake_pages_left = -1;
void (*fake_pages_meanwhile)(void);

static bool fake_pages_allow(void)
{
    int left = __atomic_load_n(&fake_pages_left, __ATOMIC_RELAXED);
    if (left > 0)
        __atomic_store_n(&fake_pages_left, left - 1, __ATOMIC_RELAXED);
    return left != 0;
}

static void fake_pages_interrupt(void)
{
    void (*meanwhile)(void) = fake_pages_meanwhile;
    if (!meanwhile)
        return;
    fake_pages_meanwhile = NULL;
    meanwhile();
}

void *sys_pages(size_t size_bytes)
{
    fake_pages_interrupt();
    if (!fake_pages_allow())
        return NULL;
    void *pages = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void sys_pages_free(void *pages, size_t size_bytes)
{
    munmap(pages, size_bytes);
}
