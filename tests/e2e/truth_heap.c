/* The truth program's sites that ask malloc and its relatives. */
#include "truth.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096 };

SITE_FUNCTION static void malloc_plain(void)
{
    void *blocks[10];
    for (int i = 0; i < 10; i++)
        blocks[i] = truth_kept(malloc(100));
    errno = 77;
    for (int i = 0; i < 6; i++)
        free(blocks[i]);
    free(NULL);
    truth_check(errno == 77, "errno over malloc and free");
}

SITE_FUNCTION static void malloc_zero(void)
{
    void *blocks[5];
    for (int i = 0; i < 5; i++)
        blocks[i] = truth_kept(malloc(0));
    truth_check(blocks[0] && blocks[0] != blocks[1], "malloc(0) gives distinct blocks");
    free(blocks[0]);
    free(blocks[4]);
}

SITE_FUNCTION static void malloc_small(void)
{
    for (int i = 0; i < 1000; i++)
        truth_kept(malloc(1));
}

SITE_FUNCTION static void malloc_large(void)
{
    void *first = malloc(1 << 20);
    truth_kept(malloc(1 << 20));
    truth_kept(malloc(1 << 20));
    free(first);
}

SITE_FUNCTION static void malloc_huge(void)
{
    free(truth_kept(malloc(64 << 20)));
}

SITE_FUNCTION static void malloc_failing(void)
{
    volatile size_t bytes = PTRDIFF_MAX;
    errno = 0;
    truth_check(!malloc(bytes) && errno == ENOMEM, "malloc that fails");
}

SITE_FUNCTION static void calloc_plain(void)
{
    for (int i = 0; i < 7; i++) {
        char *block = truth_kept(calloc(3, 50));
        truth_check(block[0] == 0 && block[149] == 0, "calloc zeroes");
    }
}

SITE_FUNCTION static void calloc_overflow(void)
{
    volatile size_t count = SIZE_MAX / 2;
    truth_check(!calloc(count, 4), "calloc that overflows");
}

SITE_FUNCTION static void realloc_null(void)
{
    truth_kept(realloc(NULL, 77));
    truth_kept(realloc(NULL, 77));
}

SITE_FUNCTION static void realloc_grow(void)
{
    char *block = malloc(10);
    memcpy(block, "heapdiff!", 10);
    block = realloc(block, 20);
    block = truth_kept(realloc(block, 40));
    truth_check(strcmp(block, "heapdiff!") == 0, "realloc keeps the bytes");
}

SITE_FUNCTION static void realloc_shrink(void)
{
    truth_kept(realloc(malloc(1000), 10));
}

static void *given[4];

SITE_FUNCTION static void realloc_giver(void)
{
    for (int i = 0; i < 4; i++)
        given[i] = malloc(64);
}

SITE_FUNCTION static void realloc_taker(void)
{
    for (int i = 0; i < 4; i++)
        truth_kept(realloc(given[i], 100000));
}

SITE_FUNCTION static void realloc_zero(void)
{
    volatile size_t none = 0;
    truth_check(!realloc(malloc(50), none), "realloc(p, 0) frees");
}

SITE_FUNCTION static void realloc_failing(void)
{
    volatile size_t bytes = PTRDIFF_MAX;
    char *block = truth_kept(malloc(30));
    truth_check(!realloc(block, bytes), "realloc that fails");
    block[29] = 1;
}

SITE_FUNCTION static void reallocarray_plain(void)
{
    volatile size_t count = SIZE_MAX / 2;
    void *block = truth_kept(reallocarray(reallocarray(NULL, 6, 11), 12, 11));
    truth_check(!reallocarray(block, count, 4), "reallocarray that overflows");
}

SITE_FUNCTION static void posix_memalign_plain(void)
{
    void *blocks[3] = {NULL};
    for (int i = 0; i < 3; i++)
        truth_check(posix_memalign(&blocks[i], 64, 200) == 0 && (uintptr_t)blocks[i] % 64 == 0,
                    "align");
    free(blocks[1]);
}

SITE_FUNCTION static void posix_memalign_wide(void)
{
    void *block = NULL;
    truth_check(posix_memalign(&block, 1 << 20, 17) == 0 && (uintptr_t)block % (1 << 20) == 0,
                "wide");
    truth_kept(block);
}

SITE_FUNCTION static void posix_memalign_bad(void)
{
    void *block = given;
    volatile size_t alignment = 3;
    truth_check(posix_memalign(&block, alignment, 10) == EINVAL && block == given, "bad alignment");
}

SITE_FUNCTION static void aligned_alloc_plain(void)
{
    truth_kept(aligned_alloc(128, 256));
    truth_kept(aligned_alloc(128, 256));
}

SITE_FUNCTION static void memalign_plain(void)
{
    truth_kept(memalign(PAGE, 100));
    truth_check(malloc_usable_size(truth_kept(memalign(PAGE, 100))) >= 100, "malloc_usable_size");
}

SITE_FUNCTION static void valloc_plain(void)
{
    truth_check((uintptr_t)truth_kept(valloc(10)) % PAGE == 0, "valloc");
}

SITE_FUNCTION static void pvalloc_plain(void)
{
    truth_check((uintptr_t)truth_kept(pvalloc(10)) % PAGE == 0, "pvalloc");
}

SITE_FUNCTION static void strdup_in_libc(void)
{
    for (int i = 0; i < 9; i++)
        truth_kept(strdup("heapdiff"));
}

/* C23's, where something gives them; else free() does. */
static void release(void *block, size_t alignment, size_t bytes)
{
    void (*sized)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
    void (*aligned)(void *, size_t, size_t) =
        (void (*)(void *, size_t, size_t))dlsym(RTLD_DEFAULT, "free_aligned_sized");

    if (alignment && aligned)
        aligned(block, alignment, bytes);
    else if (!alignment && sized)
        sized(block, bytes);
    else
        free(block);
}

SITE_FUNCTION static void free_sized_plain(void)
{
    for (int i = 0; i < 5; i++)
        release(truth_kept(malloc(40)), 0, 40);
}

SITE_FUNCTION static void free_aligned_sized_plain(void)
{
    for (int i = 0; i < 2; i++)
        release(truth_kept(aligned_alloc(64, 128)), 64, 128);
}

void truth_heap(void)
{
    malloc_plain();
    malloc_zero();
    malloc_small();
    malloc_large();
    malloc_huge();
    malloc_failing();
    calloc_plain();
    calloc_overflow();
    realloc_null();
    realloc_grow();
    realloc_shrink();
    realloc_giver();
    realloc_taker();
    realloc_zero();
    realloc_failing();
    reallocarray_plain();
    posix_memalign_plain();
    posix_memalign_wide();
    posix_memalign_bad();
    aligned_alloc_plain();
    memalign_plain();
    valloc_plain();
    pvalloc_plain();
    strdup_in_libc();
    free_sized_plain();
    free_aligned_sized_plain();
}
