/* The Boehm collector's allocation functions: record, call the real one, return. Objects that it collects are freed by
   its marks (runtime/boehm_heap). */
#include "hook.h"

#include "hooks_runtime.h"
#include "preload/ground/sample.h"
#include "preload/runtime/boehm.h"
#include "preload/views/plain.h"

#include <errno.h>
#include <string.h>

/* What any of them takes, in registers; who takes less does not look. */
typedef void *(*allocate_fn)(size_t, size_t, size_t, size_t);
typedef void (*release_fn)(void *);

/* NULL: pass the call on. What libgc calls of its own does not come here: its own slots are as they were. */
static struct guard_thread *enter(void)
{
    return boehm_records() ? hook_enter() : NULL;
}

static void missed(const void *address, const void *caller)
{
    if (address && boehm_records())
        tracker_missed(caller);
}

/* The guard is left. */
static __attribute__((noinline)) void record(struct guard_thread *own, void *address, size_t size,
                                             const struct unwind_start *start)
{
    if (guard_usual && plain_called(own, address, size, *start))
        return;
    if (address && !sample_passes_over(size))
        tracker_alloc(own, address, size, start);
    guard_leave(own);
}

/* Calls `allocate`, and records what it gives as `size_bytes`, for the hook that this expands in. `address` names the
   result in `size_bytes`. */
#define RECORD_OBJECT(allocate, size_bytes)                                     \
    ({                                                                          \
        struct guard_thread *own_ = enter();                                    \
        const struct unwind_start start_ = UNWIND_HERE();                       \
        void *address = (allocate);                                             \
        if (own_)                                                               \
            record(own_, address, address ? (size_t)(size_bytes) : 0, &start_); \
        else                                                                    \
            missed(address, __builtin_return_address(0));                       \
        address;                                                                \
    })

enum { NOT_KNOWN_YET = -1 }; /* a size: more than any distance of samples */

/* Most of a sampled run's. */
static bool skips(size_t request)
{
    return sample.period_bytes != 0 && boehm_records() && sample_skips(request);
}

/* `request`: its size, if the arguments tell. */
#define HOOK_OBJECT(name, request, size_bytes)                                     \
    static void *hook_##name(size_t a, size_t b, size_t c, size_t d)               \
    {                                                                              \
        if (skips((size_t)(request)))                                              \
            return ((allocate_fn)boehm.name)(a, b, c, d);                          \
        return RECORD_OBJECT(((allocate_fn)boehm.name)(a, b, c, d), (size_bytes)); \
    }

HOOK_OBJECT(GC_malloc, a, a)
HOOK_OBJECT(GC_malloc_atomic, a, a)
HOOK_OBJECT(GC_malloc_uncollectable, a, a)
HOOK_OBJECT(GC_malloc_atomic_uncollectable, a, a)
HOOK_OBJECT(GC_malloc_stubborn, a, a)
HOOK_OBJECT(GC_malloc_ignore_off_page, a, a)
HOOK_OBJECT(GC_malloc_atomic_ignore_off_page, a, a)
HOOK_OBJECT(GC_malloc_explicitly_typed, a, a)
HOOK_OBJECT(GC_generic_malloc, a, a)
HOOK_OBJECT(GC_malloc_kind, a, a)
HOOK_OBJECT(GC_malloc_kind_global, a, a)
HOOK_OBJECT(GC_finalized_malloc, a, a)
HOOK_OBJECT(GC_gcj_malloc, a, a)
HOOK_OBJECT(GC_calloc_explicitly_typed, a *b, a *b)
HOOK_OBJECT(GC_memalign, b, b)
HOOK_OBJECT(GC_strdup, NOT_KNOWN_YET, strlen(address) + 1)
HOOK_OBJECT(GC_strndup, NOT_KNOWN_YET, strlen(address) + 1)
HOOK_OBJECT(GC_debug_malloc, a, a)
HOOK_OBJECT(GC_debug_malloc_atomic, a, a)
HOOK_OBJECT(GC_debug_malloc_uncollectable, a, a)
HOOK_OBJECT(GC_debug_malloc_atomic_uncollectable, a, a)
HOOK_OBJECT(GC_debug_malloc_stubborn, a, a)
HOOK_OBJECT(GC_debug_malloc_ignore_off_page, a, a)
HOOK_OBJECT(GC_debug_malloc_atomic_ignore_off_page, a, a)
HOOK_OBJECT(GC_debug_malloc_replacement, a, a)
HOOK_OBJECT(GC_debug_strdup, NOT_KNOWN_YET, strlen(address) + 1)
HOOK_OBJECT(GC_debug_strndup, NOT_KNOWN_YET, strlen(address) + 1)

static int hook_GC_posix_memalign(void **made, size_t alignment, size_t size)
{
    typedef int (*align_fn)(void **, size_t, size_t);
    int result = ENOMEM;
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
        struct guard_thread *own_ = enter();                               \
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
    static void *hook_##name(void *from, size_t size, size_t b, size_t c)                       \
    {                                                                                           \
        return RECORD_REALLOC(from, size, ((allocate_fn)boehm.name)((size_t)from, size, b, c)); \
    }

HOOK_REALLOC(GC_realloc)
HOOK_REALLOC(GC_debug_realloc)
HOOK_REALLOC(GC_debug_realloc_replacement)

static void record_free(void *address, release_fn release)
{
    struct guard_thread *own = address ? enter() : NULL;
    if (own)
        tracker_free(own, address);
    else if (address && boehm_records() && guard_process.recording)
        tracker_free_nested(address);
    release(address);
    if (own)
        guard_leave(own);
}

#define HOOK_FREE(name)                               \
    static void hook_##name(void *address)            \
    {                                                 \
        record_free(address, (release_fn)boehm.name); \
    }

HOOK_FREE(GC_free)
HOOK_FREE(GC_debug_free)

/* A list of objects of one size, for callers that hand them out themselves: each of them counts as theirs who has
   asked for the list, once for so many. */
static void hook_GC_generic_malloc_many(size_t size, int kind, void **list)
{
    typedef void (*many_fn)(size_t, int, void **);
    struct guard_thread *own = enter();
    const struct unwind_start start = UNWIND_HERE();
    ((many_fn)boehm.GC_generic_malloc_many)(size, kind, list);
    if (!own)
        return;
    for (void **object = *list; object; object = *object)
        if (!sample_passes_over(size))
            tracker_alloc(own, object, size, &start);
    guard_leave(own);
}

static void hook_GC_set_on_collection_event(boehm_event_fn event)
{
    if (boehm_records())
        boehm_set_event(event);
    else
        ((void (*)(boehm_event_fn))boehm.GC_set_on_collection_event)(event);
}

static boehm_event_fn hook_GC_get_on_collection_event(void)
{
    return boehm_records() ? boehm_event()
                           : ((boehm_event_fn(*)(void))boehm.GC_get_on_collection_event)();
}

static void hook_GC_register_has_static_roots_callback(boehm_roots_fn callback)
{
    boehm_set_roots(callback);
}

#define BOEHM_NAME(name) {#name, (void *)hook_##name, &boehm.name},
static const struct relink_name names[] = {BOEHM_HOOKED(BOEHM_NAME){NULL, NULL, NULL}};
#undef BOEHM_NAME

const struct relink_group hooks_boehm = {names, boehm_is_hooked, RELINK_KNOWN};
