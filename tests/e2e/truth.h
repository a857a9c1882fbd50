/*
 * truth.h - what the parts of the truth program share.
 *
 * What it is: the list of allocation sites, one function each, with what each has asked for and
 * still holds when the table is printed. Every number was worked out by hand, none is computed.
 * Owns: nothing. Context: tests. Not here: the checker (truth.py).
 *
 * SITE(function, kind, alloc_objects, alloc_bytes, inuse_objects, inuse_bytes)
 */
#ifndef HEAPDIFF_TRUTH_H
#define HEAPDIFF_TRUTH_H

#include <stddef.h>

#define TRUTH_SITES                                        \
    SITE(malloc_plain, malloc, 10, 1000, 4, 400)           \
    SITE(malloc_zero, malloc, 5, 0, 3, 0)                  \
    SITE(malloc_small, malloc, 1000, 1000, 1000, 1000)     \
    SITE(malloc_large, malloc, 3, 3145728, 2, 2097152)     \
    SITE(malloc_huge, malloc, 1, 67108864, 0, 0)           \
    SITE(malloc_failing, malloc, 0, 0, 0, 0)               \
    SITE(calloc_plain, malloc, 7, 1050, 7, 1050)           \
    SITE(calloc_overflow, malloc, 0, 0, 0, 0)              \
    SITE(realloc_null, malloc, 2, 154, 2, 154)             \
    SITE(realloc_grow, malloc, 3, 70, 1, 40)               \
    SITE(realloc_shrink, malloc, 2, 1010, 1, 10)           \
    SITE(realloc_giver, malloc, 4, 256, 0, 0)              \
    SITE(realloc_taker, malloc, 4, 400000, 4, 400000)      \
    SITE(realloc_zero, malloc, 1, 50, 0, 0)                \
    SITE(realloc_failing, malloc, 1, 30, 1, 30)            \
    SITE(reallocarray_plain, malloc, 2, 198, 1, 132)       \
    SITE(posix_memalign_plain, malloc, 3, 600, 2, 400)     \
    SITE(posix_memalign_wide, malloc, 1, 17, 1, 17)        \
    SITE(posix_memalign_bad, malloc, 0, 0, 0, 0)           \
    SITE(aligned_alloc_plain, malloc, 2, 512, 2, 512)      \
    SITE(memalign_plain, malloc, 2, 200, 2, 200)           \
    SITE(valloc_plain, malloc, 1, 10, 1, 10)               \
    SITE(pvalloc_plain, malloc, 1, 10, 1, 10)              \
    SITE(strdup_in_libc, malloc, 9, 81, 9, 81)             \
    SITE(free_sized_plain, malloc, 5, 200, 0, 0)           \
    SITE(free_aligned_sized_plain, malloc, 2, 256, 0, 0)   \
    SITE(path_left, malloc, 2, 42, 2, 42)                  \
    SITE(path_right, malloc, 3, 63, 3, 63)                 \
    SITE(deep_step, malloc, 3, 300, 3, 300)                \
    SITE(jump_long, malloc, 2, 30, 2, 30)                  \
    SITE(frame_variable, malloc, 2, 38, 2, 38)             \
    SITE(frame_realigned, malloc, 2, 46, 2, 46)            \
    SITE(search_callback, malloc, 1, 12, 1, 12)            \
    SITE(coroutine_body, malloc, 2, 58, 2, 58)             \
    SITE(altstack_handler, malloc, 2, 120, 1, 60)          \
    SITE(early_constructor, malloc, 1, 111, 1, 111)        \
    SITE(plugin_site, malloc, 6, 540, 4, 360)              \
    SITE(thread_giver, malloc, 8000, 384000, 4000, 192000) \
    SITE(thread_private, malloc, 800, 19200, 0, 0)         \
    SITE(thread_destructor, malloc, 8, 104, 8, 104)        \
    SITE(mmap_anonymous, mmap, 3, 24576, 2, 16384)         \
    SITE(mmap_file, mmap, 1, 4096, 1, 4096)                \
    SITE(mmap_64, mmap, 1, 4096, 1, 4096)                  \
    SITE(mmap_odd, mmap, 1, 8192, 1, 8192)                 \
    SITE(mmap_failing, mmap, 0, 0, 0, 0)                   \
    SITE(mmap_holed, mmap, 1, 40960, 1, 32768)             \
    SITE(mmap_covered, mmap, 1, 16384, 1, 8192)            \
    SITE(mmap_cover, mmap, 1, 8192, 1, 8192)               \
    SITE(mmap_gone, mmap, 5, 20480, 0, 0)                  \
    SITE(mremap_grow, mmap, 1, 24576, 1, 24576)            \
    SITE(mremap_shrink, mmap, 1, 24576, 1, 8192)           \
    SITE(sbrk_plain, mmap, 1, 12288, 1, 8192)              \
    SITE(brk_plain, mmap, 1, 8192, 1, 8192)                \
    SITE(shmat_plain, mmap, 2, 32768, 1, 16384)            \
    SITE(cxx_new, malloc, 5, 120, 4, 96)                   \
    SITE(cxx_new_array, malloc, 2, 160, 1, 80)             \
    SITE(cxx_new_aligned, malloc, 3, 384, 2, 256)          \
    SITE(cxx_new_nothrow, malloc, 2, 160, 1, 24)           \
    SITE(cxx_new_failing, malloc, 1, 136, 0, 0)            \
    SITE(cxx_throw, malloc, 3, 504, 0, 0)                  \
    SITE(cxx_vector, malloc, 4, 60, 1, 32)                 \
    SITE(cxx_string, malloc, 1, 101, 1, 101)

#if __has_attribute(noclone)
#define SITE_FUNCTION __attribute__((noinline, noclone))
#else
#define SITE_FUNCTION __attribute__((noinline))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The last block; truth_kept() puts it there, so that the compiler cannot do without it. */
extern void *volatile truth_sink;
void *truth_kept(void *block);

void truth_say(const char *text);
void truth_check(int holds, const char *what);

/* The sites, by the file they are in. */
void truth_heap(void);
void truth_stacks(void);
void truth_ranges(void);
void truth_cxx(void);

#ifdef __cplusplus
}
#endif

#endif
