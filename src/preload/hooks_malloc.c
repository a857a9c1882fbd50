/* The malloc family: record, call the real function, return. */
#include "hook.h"

#include "sample.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Not in the libc headers of every C library. */
void cfree(void *address);
void free_sized(void *address, size_t size);
void free_aligned_sized(void *address, size_t alignment, size_t size);

enum { BLOCK_BYTES_MIN = 16 }; /* what block.h needs; only allocators with 8-byte classes notice */

static size_t at_least(size_t size_bytes)
{
    return size_bytes < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : size_bytes;
}

/* Calls `allocate` and records what it returns, for the function this expands in. */
#define RECORD_ALLOC(size_bytes, allocate)                        \
    ({                                                            \
        struct guard_thread *own_ = hook_enter();                 \
        bool recorded_ = own_ && !sample_passes_over(size_bytes); \
        void *address_ = (allocate);                              \
        if (recorded_) {                                          \
            const struct unwind_start start_ = UNWIND_HERE();     \
            tracker_alloc(own_, address_, (size_bytes), &start_); \
        } else if (!own_ && address_) {                           \
            tracker_missed();                                     \
        }                                                         \
        if (own_)                                                 \
            guard_leave(own_);                                    \
        address_;                                                 \
    })

HOOK void *malloc(size_t size)
{
    if (sample_skips(size))
        return real.malloc(size);
    if (!real_resolve())
        return boot_alloc(size);
    return RECORD_ALLOC(size, real.malloc(at_least(size)));
}

HOOK void *calloc(size_t count, size_t each)
{
    size_t size;
    bool fits = !__builtin_mul_overflow(count, each, &size);
    if (fits && sample_skips(size))
        return real.calloc(count, each);
    if (!real_resolve())
        return fits ? boot_alloc(size) : NULL;
    if (!fits)
        return real.calloc(count, each); /* refused in the allocator's own way */
    return RECORD_ALLOC(size, size < BLOCK_BYTES_MIN ? real.calloc(1, BLOCK_BYTES_MIN)
                                                     : real.calloc(count, each));
}

/* The long way: everything but frees that pass by. */
static void free_hooked(void *address)
{
    if (!address || boot_owns(address) || !real_resolve())
        return;
    struct guard_thread *own = hook_enter();
    if (own)
        tracker_free(own, address);
    else if (guard_process.recording)
        tracker_free_nested(address);
    real.free(address);
    if (own)
        guard_leave(own);
}

HOOK void free(void *address)
{
    if (sample_ignores(address))
        real.free(address);
    else
        free_hooked(address);
}

HOOK void cfree(void *address)
{
    free_hooked(address);
}

/* Sizes are not passed on: a block of less than 16 bytes has grown, and to free is enough. */
HOOK void free_sized(void *address, size_t size)
{
    (void)size;
    free_hooked(address);
}

HOOK void free_aligned_sized(void *address, size_t alignment, size_t size)
{
    (void)alignment;
    (void)size;
    free_hooked(address);
}

static void *realloc_boot(void *address, size_t size)
{
    size_t old_bytes = boot_size(address);
    void *fresh = malloc(size);
    if (fresh)
        memcpy(fresh, address, old_bytes < size ? old_bytes : size);
    return fresh;
}

/* realloc(p, 0) frees in most libcs: 0 stays 0 there. */
static size_t realloc_bytes(const void *address, size_t size)
{
    return address && size == 0 ? 0 : at_least(size);
}

static void *realloc_hooked(void *address, size_t size, const struct unwind_start *start)
{
    struct block old;
    if (boot_owns(address))
        return realloc_boot(address, size);
    if (!real_resolve())
        return boot_alloc(size);
    struct guard_thread *own = hook_enter();
    bool passed_over = !own || sample_passes_over(size);
    bool known = guard_process.recording && address && tracker_take(own, address, &old);
    void *fresh = real.realloc(address, realloc_bytes(address, size));
    if (known && !fresh && size > 0)
        tracker_restore(address, &old);
    else if (known)
        tracker_freed(own, &old);
    if (!passed_over)
        tracker_alloc(own, fresh, size, start);
    else if (!own && fresh)
        tracker_missed();
    if (own)
        guard_leave(own);
    return fresh;
}

HOOK void *realloc(void *address, size_t size)
{
    const struct unwind_start start = UNWIND_HERE();
    return realloc_hooked(address, size, &start);
}

HOOK void *reallocarray(void *address, size_t count, size_t each)
{
    const struct unwind_start start = UNWIND_HERE();
    size_t size;
    if (__builtin_mul_overflow(count, each, &size)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc_hooked(address, size, &start);
}

HOOK int posix_memalign(void **address, size_t alignment, size_t size)
{
    int result = ENOMEM;
    if (!real_resolve())
        return result;
    RECORD_ALLOC(size, ({
                     void *made = NULL;
                     result = real.posix_memalign(&made, alignment, at_least(size));
                     if (result == 0)
                         *address = made;
                     result == 0 ? made : NULL;
                 }));
    return result;
}

HOOK void *aligned_alloc(size_t alignment, size_t size)
{
    if (!real_resolve())
        return NULL;
    return RECORD_ALLOC(size, real.aligned_alloc(alignment, at_least(size)));
}

HOOK void *memalign(size_t alignment, size_t size)
{
    if (!real_resolve())
        return NULL;
    return RECORD_ALLOC(size, real.memalign(alignment, at_least(size)));
}

HOOK void *valloc(size_t size)
{
    if (!real_resolve())
        return NULL;
    return RECORD_ALLOC(size, real.valloc(at_least(size)));
}

HOOK void *pvalloc(size_t size)
{
    if (!real_resolve())
        return NULL;
    return RECORD_ALLOC(size, real.pvalloc(at_least(size)));
}

HOOK size_t malloc_usable_size(void *address)
{
    if (address && boot_owns(address))
        return boot_size(address);
    return real_resolve() ? real.malloc_usable_size(address) : 0;
}
