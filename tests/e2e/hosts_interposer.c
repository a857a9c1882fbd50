/* Another tool's library that stands in front of malloc, and allocates inside of it. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC visibility push(default)
void *malloc(size_t size);
void free(void *block);
void *realloc(void *block, size_t size);
#pragma GCC visibility pop

enum { BOOT_BYTES = 8192 };

static char boot[BOOT_BYTES];
static size_t boot_used;
static void *(*next_malloc)(size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static __thread __attribute__((tls_model("initial-exec"))) int inside;

static int is_boot(const void *block)
{
    return (size_t)((const char *)block - boot) < BOOT_BYTES;
}

static int resolve(void)
{
    if (next_free)
        return 1;
    if (inside)
        return 0;
    inside = 1;
    next_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    next_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    next_free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
    inside = 0;
    return 1;
}

void *malloc(size_t size)
{
    if (!resolve()) {
        boot_used += (size + 15) & ~(size_t)15;
        return boot_used <= BOOT_BYTES ? boot + boot_used - ((size + 15) & ~(size_t)15) : NULL;
    }
    if (!inside) { /* its notes about the block */
        inside = 1;
        free(malloc(48));
        inside = 0;
    }
    return next_malloc(size);
}

void *realloc(void *block, size_t size)
{
    resolve();
    return next_realloc(block, size);
}

void free(void *block)
{
    if (!is_boot(block) && resolve())
        next_free(block);
}
