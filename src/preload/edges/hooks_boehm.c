/* The Boehm collector's allocation functions: record, call the real one, return. Objects that it collects are freed by
   its marks (runtime/boehm_heap). */
#include "hook.h"

#include "preload/ground/sample.h"
#include "preload/runtime/boehm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What any of them takes, in registers; who takes less does not look. */
typedef void *(*allocate_fn)(size_t, size_t, size_t, size_t);
typedef void (*release_fn)(void *);

/* Whether there is a libgc behind us: always, but for a program that has only asked whether there is a name. */
static bool resolve(void)
{
    return boehm_resolve();
}

/* NULL: pass the call on. */
static struct guard_thread *enter(const void *caller)
{
    return boehm_records() && !boehm_is_inner(caller) ? hook_enter() : NULL;
}

static void missed(const void *address, const void *caller)
{
    if (address && boehm_records())
        tracker_missed(caller);
}

/* Calls `allocate`, and records what it gives as `size_bytes`, for the hook that this expands in. `address` names the
   result in `size_bytes`. */
#define RECORD_OBJECT(allocate, size_bytes)                             \
    ({                                                                  \
        struct guard_thread *own_ = enter(__builtin_return_address(0)); \
        const struct unwind_start start_ = UNWIND_HERE();               \
        void *address = (allocate);                                     \
        size_t size_bytes_ = address ? (size_bytes) : 0;                \
        if (!own_)                                                      \
            missed(address, __builtin_return_address(0));               \
        else if (address && !sample_passes_over(size_bytes_))           \
            tracker_alloc(own_, address, size_bytes_, &start_);         \
        if (own_)                                                       \
            guard_leave(own_);                                          \
        address;                                                        \
    })

enum { NOT_KNOWN_YET = -1 }; /* a size: more than any distance of samples */

/* Most of a sampled run's. */
static bool skips(size_t request, const void *caller)
{
    return boehm_records() && !boehm_is_inner(caller) && sample_skips(request);
}

/* No tail call: libgc jumps on into others that we hook, and would bring the program as their caller. */
#define PASS_ON(call)                         \
    ({                                        \
        void *passed_ = (call);               \
        __asm__ volatile("" : "+r"(passed_)); \
        passed_;                              \
    })

/* `otherwise`: without a libgc, memory that nobody collects. `request`: its size, if the arguments tell. */
#define HOOK_OBJECT(name, otherwise, request, size_bytes)                          \
    HOOK void *name(size_t a, size_t b, size_t c, size_t d);                       \
    HOOK void *name(size_t a, size_t b, size_t c, size_t d)                        \
    {                                                                              \
        if (!resolve() || !boehm.name)                                             \
            return (otherwise);                                                    \
        if (skips((size_t)(request), __builtin_return_address(0)))                 \
            return PASS_ON(((allocate_fn)boehm.name)(a, b, c, d));                 \
        return RECORD_OBJECT(((allocate_fn)boehm.name)(a, b, c, d), (size_bytes)); \
    }

HOOK_OBJECT(GC_malloc, calloc(1, a), a, a)
HOOK_OBJECT(GC_malloc_atomic, calloc(1, a), a, a)
HOOK_OBJECT(GC_malloc_uncollectable, calloc(1, a), a, a)
HOOK_OBJECT(GC_malloc_atomic_uncollectable, calloc(1, a), a, a)
HOOK_OBJECT(GC_malloc_stubborn, calloc(1, a), a, a)
HOOK_OBJECT(GC_malloc_ignore_off_page, calloc(1, a), a, a)
HOOK_OBJECT(GC_malloc_atomic_ignore_off_page, calloc(1, a), a, a)
HOOK_OBJECT(GC_malloc_explicitly_typed, calloc(1, a), a, a)
HOOK_OBJECT(GC_generic_malloc, calloc(1, a), a, a)
HOOK_OBJECT(GC_malloc_kind, calloc(1, a), a, a)
HOOK_OBJECT(GC_malloc_kind_global, calloc(1, a), a, a)
HOOK_OBJECT(GC_finalized_malloc, calloc(1, a), a, a)
HOOK_OBJECT(GC_gcj_malloc, calloc(1, a), a, a)
HOOK_OBJECT(GC_calloc_explicitly_typed, calloc(1, a *b), a *b, a *b)
HOOK_OBJECT(GC_memalign, NULL, b, b)
HOOK_OBJECT(GC_strdup, NULL, NOT_KNOWN_YET, strlen(address) + 1)
HOOK_OBJECT(GC_strndup, NULL, NOT_KNOWN_YET, strlen(address) + 1)
HOOK_OBJECT(GC_debug_malloc, calloc(1, a), a, a)
HOOK_OBJECT(GC_debug_malloc_atomic, calloc(1, a), a, a)
HOOK_OBJECT(GC_debug_malloc_uncollectable, calloc(1, a), a, a)
HOOK_OBJECT(GC_debug_malloc_atomic_uncollectable, calloc(1, a), a, a)
HOOK_OBJECT(GC_debug_malloc_stubborn, calloc(1, a), a, a)
HOOK_OBJECT(GC_debug_malloc_ignore_off_page, calloc(1, a), a, a)
HOOK_OBJECT(GC_debug_malloc_atomic_ignore_off_page, calloc(1, a), a, a)
HOOK_OBJECT(GC_debug_malloc_replacement, calloc(1, a), a, a)
HOOK_OBJECT(GC_debug_strdup, NULL, NOT_KNOWN_YET, strlen(address) + 1)
HOOK_OBJECT(GC_debug_strndup, NULL, NOT_KNOWN_YET, strlen(address) + 1)

int GC_posix_memalign(void **made, size_t alignment, size_t size);

HOOK int GC_posix_memalign(void **made, size_t alignment, size_t size)
{
    typedef int (*align_fn)(void **, size_t, size_t);
    int result = ENOMEM;
    if (!resolve() || !boehm.GC_posix_memalign)
        return result;
    RECORD_OBJECT(({
                      result = ((align_fn)boehm.GC_posix_memalign)(made, alignment, size);
                      result == 0 ? *made : NULL;
                  }),
                  size);
    return result;
}

/* The old record is taken out first: the collector may give its address away before we are back. */
#define RECORD_REALLOC(from, size, reallocate)                             \
    ({                                                                     \
        struct guard_thread *own_ = enter(__builtin_return_address(0));    \
        const struct unwind_start start_ = UNWIND_HERE();                  \
        struct block old_;                                                 \
        bool known_ = own_ && (from) && tracker_take(own_, (from), &old_); \
        void *fresh_ = (reallocate);                                       \
        if (known_ && !fresh_ && (size) > 0)                               \
            tracker_restore((from), &old_);                                \
        else if (known_)                                                   \
            tracker_freed(own_, &old_);                                    \
        if (own_ && fresh_ && !sample_passes_over(size))                   \
            tracker_alloc(own_, fresh_, (size), &start_);                  \
        if (own_)                                                          \
            guard_leave(own_);                                             \
        else                                                               \
            missed(fresh_, __builtin_return_address(0));                   \
        fresh_;                                                            \
    })

#define HOOK_REALLOC(name)                                                                      \
    HOOK void *name(void *from, size_t size, size_t b, size_t c);                               \
    HOOK void *name(void *from, size_t size, size_t b, size_t c)                                \
    {                                                                                           \
        if (!resolve() || !boehm.name)                                                          \
            return realloc(from, size);                                                         \
        return RECORD_REALLOC(from, size, ((allocate_fn)boehm.name)((size_t)from, size, b, c)); \
    }

HOOK_REALLOC(GC_realloc)
HOOK_REALLOC(GC_debug_realloc)
HOOK_REALLOC(GC_debug_realloc_replacement)

static void record_free(void *address, release_fn release)
{
    struct guard_thread *own = address ? enter(__builtin_return_address(0)) : NULL;
    if (own)
        tracker_free(own, address);
    else if (address && boehm_records() && guard_process.recording)
        tracker_free_nested(address);
    release(address);
    if (own)
        guard_leave(own);
}

#define HOOK_FREE(name)                                   \
    HOOK void name(void *address);                        \
    HOOK void name(void *address)                         \
    {                                                     \
        if (resolve() && boehm.name)                      \
            record_free(address, (release_fn)boehm.name); \
        else                                              \
            free(address);                                \
    }

HOOK_FREE(GC_free)
HOOK_FREE(GC_debug_free)

/* A list of objects of one size, for callers that hand them out themselves: each of them counts as theirs who has
   asked for the list, once for so many. */
HOOK void GC_generic_malloc_many(size_t size, int kind, void **list);

HOOK void GC_generic_malloc_many(size_t size, int kind, void **list)
{
    typedef void (*many_fn)(size_t, int, void **);
    if (!resolve() || !boehm.GC_generic_malloc_many)
        return;
    struct guard_thread *own = enter(__builtin_return_address(0));
    const struct unwind_start start = UNWIND_HERE();
    ((many_fn)boehm.GC_generic_malloc_many)(size, kind, list);
    if (!own)
        return;
    for (void **object = *list; object; object = *object)
        if (!sample_passes_over(size))
            tracker_alloc(own, object, size, &start);
    guard_leave(own);
}

HOOK void GC_set_on_collection_event(boehm_event_fn event);
HOOK boehm_event_fn GC_get_on_collection_event(void);
HOOK void GC_register_has_static_roots_callback(boehm_roots_fn callback);

HOOK void GC_set_on_collection_event(boehm_event_fn event)
{
    if (!resolve())
        return;
    if (boehm_records())
        boehm_set_event(event);
    else if (boehm.GC_set_on_collection_event)
        ((void (*)(boehm_event_fn))boehm.GC_set_on_collection_event)(event);
}

HOOK boehm_event_fn GC_get_on_collection_event(void)
{
    if (!resolve())
        return NULL;
    if (boehm_records())
        return boehm_event();
    return boehm.GC_get_on_collection_event
               ? ((boehm_event_fn(*)(void))boehm.GC_get_on_collection_event)()
               : NULL;
}

HOOK void GC_register_has_static_roots_callback(boehm_roots_fn callback)
{
    if (resolve())
        boehm_set_roots(callback);
}
