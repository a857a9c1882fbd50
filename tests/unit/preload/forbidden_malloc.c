#include "forbidden_malloc.h"

#include "sanitizer.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

__thread bool malloc_forbidden;
unsigned long malloc_calls;

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)

const bool forbidden_malloc_works = true;

extern void *__libc_malloc(size_t size_bytes);
extern void *__libc_calloc(size_t count, size_t size_bytes);
extern void *__libc_realloc(void *block, size_t size_bytes);
extern void *__libc_memalign(size_t align, size_t size_bytes);
extern void __libc_free(void *block);

static void check(void)
{
    static const char line[] = "forbidden: a call of the heap\n";
    if (malloc_forbidden) {
        malloc_forbidden = false;
        ssize_t unused = write(2, line, sizeof(line) - 1);
        (void)unused;
        abort();
    }
    __atomic_fetch_add(&malloc_calls, 1, __ATOMIC_RELAXED);
}

__attribute__((visibility("default"))) void *malloc(size_t size_bytes)
{
    check();
    return __libc_malloc(size_bytes);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size_bytes)
{
    check();
    return __libc_calloc(count, size_bytes);
}

__attribute__((visibility("default"))) void *realloc(void *block, size_t size_bytes)
{
    check();
    return __libc_realloc(block, size_bytes);
}

__attribute__((visibility("default"))) void free(void *block)
{
    check();
    __libc_free(block);
}

__attribute__((visibility("default"))) void *aligned_alloc(size_t align, size_t size_bytes)
{
    check();
    return __libc_memalign(align, size_bytes);
}

__attribute__((visibility("default"))) void *memalign(size_t align, size_t size_bytes)
{
    return aligned_alloc(align, size_bytes);
}

__attribute__((visibility("default"))) int posix_memalign(void **block, size_t align,
                                                          size_t size_bytes)
{
    *block = aligned_alloc(align, size_bytes);
    return *block ? 0 : ENOMEM;
}

#else

const bool forbidden_malloc_works = false;

#endif
