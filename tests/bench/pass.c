/*
 * pass.c - a library that stands before malloc and its kin and only jumps on to the next definition: what any
 * preload costs, whatever it does. Its cost is a row of its own in the tables.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define PASSED __attribute__((visibility("default")))

enum { BOOT_BYTES = 65536, BOOT_ALIGNMENT = 16 };

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
} next;

/* What dlsym() itself asks for while `next` is being filled in; never given back. */
static char boot[BOOT_BYTES] __attribute__((aligned(BOOT_ALIGNMENT)));
static size_t boot_used;

static void *boot_malloc(size_t size)
{
    size_t at = boot_used;
    if (size > BOOT_BYTES - at - BOOT_ALIGNMENT)
        abort();
    boot_used += (size + BOOT_ALIGNMENT - 1) & ~(size_t)(BOOT_ALIGNMENT - 1);
    return boot + at;
}

static void *boot_calloc(size_t count, size_t size)
{
    return boot_malloc(count * size); /* zero: given once */
}

static void boot_free(void *block)
{
    (void)block;
}

static __attribute__((constructor)) void find_next(void)
{
    if (next.free && next.free != boot_free)
        return;
    next.malloc = boot_malloc;
    next.calloc = boot_calloc;
    next.free = boot_free;
    void *(*found_malloc)(size_t) = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    void *(*found_calloc)(size_t, size_t) = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
    next.realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    next.free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
    next.calloc = found_calloc;
    next.malloc = found_malloc;
}

/* The one branch is what a hook that may come before its constructor cannot do without. */
static inline void be_ready(void)
{
    if (__builtin_expect(!next.malloc, 0))
        find_next();
}

PASSED void *malloc(size_t size)
{
    be_ready();
    return next.malloc(size);
}

PASSED void *calloc(size_t count, size_t size)
{
    be_ready();
    return next.calloc(count, size);
}

PASSED void *realloc(void *block, size_t size)
{
    be_ready();
    return next.realloc(block, size);
}

PASSED void free(void *block)
{
    be_ready();
    next.free(block);
}
