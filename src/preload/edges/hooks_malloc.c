/* The malloc family: record, call the real function, return. */
#include "hook.h"

#include "preload/views/plain.h"

#include "preload/ground/sample.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
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

/*
 * Calls `allocate` and records what it returns, for the hook that this expands in. Without anybody to
 * ask yet, the outcome is `boot`.
 */
#define RECORD_ALLOC(size_bytes, allocate, boot)                        \
    ({                                                                  \
        struct guard_thread *own_ = sample.ended ? NULL : hook_enter(); \
        void *address_;                                                 \
        if (__builtin_expect(!own_, false)) {                           \
            address_ = real_resolve() ? (allocate) : (boot);            \
            if (address_)                                               \
                tracker_missed(__builtin_return_address(0));            \
        } else {                                                        \
            bool recorded_ = !sample_passes_over(size_bytes);           \
            const struct unwind_start start_ = UNWIND_HERE();           \
            address_ = (allocate);                                      \
            if (__builtin_expect(recorded_, true))                      \
                tracker_alloc(own_, address_, (size_bytes), &start_);   \
            guard_leave(own_);                                          \
        }                                                               \
        address_;                                                       \
    })

/* What plain_alloc() left: the allocator has been called. */
static __attribute__((noinline)) void *record_rest(void *address, size_t size, uintptr_t pc,
                                                   uintptr_t sp, uintptr_t fp)
{
    const struct unwind_start start = {pc, sp, fp};
    struct guard_thread *own = hook_enter();
    if (own) {
        tracker_alloc(own, address, size, &start);
        guard_leave(own);
    } else if (address) {
        tracker_missed((const void *)pc);
    }
    return address;
}

/* The other ends of plain_alloc(), as calls at the end of the hook: it then has little to save. */
static __attribute__((noinline)) void *record_served(struct guard_thread *own, void *address)
{
    guard_serve(own);
    return address;
}

static __attribute__((noinline)) void *record_new(void *address, size_t size, uintptr_t pc,
                                                  uintptr_t sp, uintptr_t fp)
{
    const struct unwind_start start = {pc, sp, fp};
    plain_new(guard_own, address, size, start);
    return address;
}

static __attribute__((noinline)) void *record_other(struct guard_thread *own, void *address,
                                                    size_t size, struct memo_leaf *leaf)
{
    plain_other(own, address, size, leaf);
    return address;
}

/* Records what glibc's malloc has given. */
static inline __attribute__((always_inline)) void *record_plain(struct guard_thread *own,
                                                                void *address, size_t size,
                                                                const struct unwind_start start)
{
    struct memo_leaf *leaf = NULL;
    switch (plain_alloc(own, address, size, start, &leaf)) {
    case PLAIN_MADE:
        return address;
    case PLAIN_NEW:
        return record_new(address, size, start.pc, start.sp, start.fp);
    case PLAIN_OTHER:
        return record_other(own, address, size, leaf);
    case PLAIN_ASKED:
        return record_served(own, address);
    default:
        return record_rest(address, size, start.pc, start.sp, start.fp);
    }
}

/* What plain_called() left: the thread is still GUARD_CALLING. */
static __attribute__((noinline)) void *record_called(struct guard_thread *own, void *address,
                                                     size_t size, const struct unwind_start *start)
{
    tracker_alloc(own, address, size, start);
    guard_leave(own);
    return address;
}

/* Calls an allocator that calls hooks itself, and records what it returns, for the hook that this expands in. */
#define RECORD_CALLED(own, size, allocate)                                 \
    ({                                                                     \
        const struct unwind_start start_ = UNWIND_HERE();                  \
        guard_set_of((own), (own)->word | GUARD_CALLING);                  \
        void *address_ = (allocate);                                       \
        __builtin_expect(plain_called((own), address_, (size), start_), 1) \
            ? address_                                                     \
            : record_called((own), address_, (size), &start_);             \
    })

/* guard_usual of a thread that is outside. */
static inline struct guard_thread *usual_outside(void)
{
    struct guard_thread *own = guard_usual;
    return own && guard_state_of(own) == GUARD_OUTSIDE ? own : NULL;
}

HOOK_HALF void *malloc_otherwise(size_t size)
{
    struct guard_thread *own = usual_outside();
    if (__builtin_expect(own != NULL, 1))
        return RECORD_CALLED(own, size, real.malloc(at_least(size)));
    if (sample_is_over())
        return real.malloc(size);
    return RECORD_ALLOC(size, real.malloc(at_least(size)), boot_alloc(size));
}

HOOK_HALF void *malloc_recorded(size_t size)
{
    struct guard_thread *own = guard_plain;
    if (__builtin_expect(!own, 0))
        return malloc_otherwise(size);
    void *address = real.malloc(size);
    return record_plain(own, address, size, UNWIND_HERE());
}

static void *calloc_at_least(size_t count, size_t each)
{
    return count * each < BLOCK_BYTES_MIN ? real.calloc(1, BLOCK_BYTES_MIN)
                                          : real.calloc(count, each);
}

HOOK_HALF void *calloc_otherwise(size_t count, size_t each)
{
    size_t size = count * each;
    struct guard_thread *own = usual_outside();
    if (__builtin_expect(own != NULL, 1))
        return RECORD_CALLED(own, size, calloc_at_least(count, each));
    if (sample_is_over())
        return real.calloc(count, each);
    return RECORD_ALLOC(size, calloc_at_least(count, each), boot_alloc(size));
}

HOOK_HALF void *calloc_recorded(size_t count, size_t each)
{
    size_t size = count * each;
    struct guard_thread *own = guard_plain;
    if (__builtin_expect(own != NULL, 1)) {
        void *address = real.calloc(count, each);
        return record_plain(own, address, size, UNWIND_HERE());
    }
    return calloc_otherwise(count, each);
}

/* Where allocations go that are counted down: those of no bytes, while nothing is sampled, are recorded. */
static struct {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t each);
} passed = {malloc_recorded, calloc_recorded};

HOOK_HOT void *malloc(size_t size)
{
    return sample_counts_down(size) ? passed.malloc(size) : malloc_recorded(size);
}

HOOK_HOT void *calloc(size_t count, size_t each)
{
    size_t size;
    if (__builtin_mul_overflow(count, each, &size)) /* refused in the allocator's own way */
        return real_resolve() ? real.calloc(count, each) : NULL;
    return sample_counts_down(size) ? passed.calloc(count, each) : calloc_recorded(count, each);
}

void hooks_malloc_pass(void)
{
    passed.malloc = real.malloc;
    passed.calloc = real.calloc;
}

void hooks_malloc_end(void)
{
    hooks_malloc_pass();
    guard_plain = guard_usual = NULL;
    boot_watch(sample_watch);
    sample_end();
}

/* plain_free() may have held the guard: what a handler has asked for then does not wait for an event. */
static void serve_wanted(void)
{
    struct guard_thread *own = guard_plain;
    if (own && __builtin_expect(own->wanted != 0, false) && guard_state_of(own) == GUARD_OUTSIDE)
        guard_serve(own);
}

HOOK_HALF void free_otherwise(void *address)
{
    struct guard_thread *own = guard_plain ? NULL : guard_usual;
    if (own && plain_freeing(own, address)) {
        real.free(address);
        guard_leave(own);
        return;
    }
    if (!address || boot_owns(address)) {
        serve_wanted();
        return;
    }
    struct block block;
    if (sample_is_over() ||
        (sample.period_bytes != 0 && !block_find((uintptr_t)address, &block))) { /* only near one */
        real.free(address);
        return;
    }
    own = hook_enter();
    if (__builtin_expect(own != NULL, true)) {
        tracker_free(own, address);
        real.free(address);
        guard_leave(own);
    } else if (real_resolve()) {
        if (guard_process.recording)
            tracker_free_nested(address);
        real.free(address);
    }
}

HOOK_HALF void free_served(void *address)
{
    guard_serve(guard_own);
    real.free(address);
}

/* Everything but frees that pass by. */
HOOK_HALF void free_recorded(void *address)
{
    struct guard_thread *own = guard_plain;
    enum plain_outcome outcome =
        __builtin_expect(own != NULL, 1) ? plain_free(own, address) : PLAIN_NOT;
    if (__builtin_expect(outcome == PLAIN_DONE, 1))
        real.free(address);
    else if (outcome == PLAIN_WANTED)
        free_served(address);
    else
        free_otherwise(address);
}

HOOK_HOT void free(void *address)
{
    if (sample_ignores(address))
        real.free(address);
    else
        free_recorded(address);
}

HOOK void cfree(void *address)
{
    free_recorded(address);
}

/* Sizes are not passed on: a block of less than 16 bytes has grown, and to free is enough. */
HOOK void free_sized(void *address, size_t size)
{
    (void)size;
    free_recorded(address);
}

HOOK void free_aligned_sized(void *address, size_t alignment, size_t size)
{
    (void)alignment;
    (void)size;
    free_recorded(address);
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

static void *realloc_from(void *address, size_t size, const struct unwind_start *start)
{
    struct block old;
    if (boot_owns(address))
        return realloc_boot(address, size);
    if (sample_is_over())
        return real.realloc(address, size);
    struct guard_thread *own = hook_enter();
    if (!own && !real_resolve())
        return boot_alloc(size);
    bool recorded = own && !sample_passes_over(size);
    bool known = guard_process.recording && address && tracker_take(own, address, &old);
    uint32_t inherited = guard_process.inherited; /* tracker_take() may have been the first event */
    void *fresh = real.realloc(address, realloc_bytes(address, size));
    if (known)
        tracker_adopt(own, inherited, &old);
    if (known && !fresh && size > 0)
        tracker_restore(address, &old);
    else if (known)
        tracker_freed(own, &old);
    if (recorded)
        tracker_alloc(own, fresh, size, start);
    else if (!own && fresh)
        tracker_missed((const void *)start->pc);
    if (own)
        guard_leave(own);
    return fresh;
}

/* A block that plain_take() knows is resized. */
static inline void *realloc_plain(struct guard_thread *own, void *address, size_t size,
                                  const struct unwind_start *start)
{
    uint32_t lot = plain_take(own, address);
    if (!lot)
        return realloc_from(address, size, start);
    uint32_t inherited = guard_process.inherited;
    void *fresh = real.realloc(address, size);
    if (__builtin_expect(guard_process.inherited != inherited, 0))
        plain_adopt(inherited, lot);
    if (!fresh) {
        plain_restore(address);
        return NULL;
    }
    plain_freed(own, lot);
    return record_plain(own, fresh, size, *start);
}

HOOK_HALF void *realloc_recorded(void *address, size_t size)
{
    const struct unwind_start start = UNWIND_HERE();
    struct guard_thread *own = guard_plain;
    if (__builtin_expect(own && address && size > 0, 1))
        return realloc_plain(own, address, size, &start);
    return realloc_from(address, size, &start);
}

/* Not every allocator has it; those that do set errno here, whatever their realloc() does. */
HOOK_HALF void *reallocarray_recorded(void *address, size_t size)
{
    const struct unwind_start start = UNWIND_HERE();
    void *fresh = realloc_from(address, size, &start);
    if (!fresh && size > 0 && real.array_own)
        errno = ENOMEM;
    return fresh;
}

HOOK_HOT void *realloc(void *address, size_t size)
{
    if (sample_ignores(address) && sample_skips(size))
        return real.realloc(address, size);
    return realloc_recorded(address, size);
}

HOOK void *reallocarray(void *address, size_t count, size_t each)
{
    size_t size;
    if (__builtin_mul_overflow(count, each, &size)) {
        errno = ENOMEM;
        return NULL;
    }
    if (__builtin_expect(real_resolve() && real.realloc_before, false))
        return real.realloc_before(address, size);
    return reallocarray_recorded(address, size);
}

HOOK int posix_memalign(void **address, size_t alignment, size_t size)
{
    int result = ENOMEM;
    RECORD_ALLOC(size, ({
                     void *made = NULL;
                     result = real.posix_memalign(&made, alignment, at_least(size));
                     if (result == 0)
                         *address = made;
                     result == 0 ? made : NULL;
                 }),
                 NULL);
    return result;
}

HOOK void *aligned_alloc(size_t alignment, size_t size)
{
    return RECORD_ALLOC(size, real.aligned_alloc(alignment, at_least(size)), NULL);
}

HOOK void *memalign(size_t alignment, size_t size)
{
    return RECORD_ALLOC(size, real.memalign(alignment, at_least(size)), NULL);
}

HOOK void *valloc(size_t size)
{
    return RECORD_ALLOC(size, real.valloc(at_least(size)), NULL);
}

/* As it is defined, but by memalign(): jemalloc has none, and libc's would be freed, and measured, by jemalloc. */
HOOK void *pvalloc(size_t size)
{
    size_t page_bytes = getauxval(AT_PAGESZ), whole_bytes = (size + page_bytes - 1) & -page_bytes;
    bool fits = whole_bytes >= size;
    /* tcmalloc takes what is nothing when rounded up for a request for nothing. */
    return RECORD_ALLOC(fits ? size : 0,
                        fits ? real.memalign(page_bytes, whole_bytes) : real.pvalloc(size), NULL);
}

HOOK_HALF size_t usable_otherwise(void *address)
{
    if (boot_owns(address))
        return boot_size(address);
    return real_resolve() ? real.malloc_usable_size(address) : 0;
}

HOOK size_t malloc_usable_size(void *address)
{
    if (__builtin_expect(!real.malloc_usable_size || boot_owns(address), 0))
        return usable_otherwise(address);
    return real.malloc_usable_size(address);
}
