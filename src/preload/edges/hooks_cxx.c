/*
 * operator new and delete. libstdc++'s call malloc and free, whose hooks record them: they are passed
 * on. An allocator that brings its own (jemalloc, tcmalloc, mimalloc) calls itself inside, where no
 * hook sees it: there they are recorded here, as the malloc and free they are.
 *
 * Names are the Itanium C++ ABI's: nw/na new and new[], dl/da delete and delete[], m size_t,
 * Pv void *, St11align_val_t std::align_val_t, RKSt9nothrow_t const std::nothrow_t &.
 */
#include "hook.h"

#include "preload/ground/module.h"
#include "preload/ground/sample.h"

#include <dlfcn.h>
#include <stdlib.h>

typedef void *(*new_fn)(size_t, size_t, size_t);
typedef void (*delete_fn)(void *, size_t, size_t);

/*
 * A C program may load a C++ library for itself (RTLD_LOCAL: python's extensions, plugins). Its calls
 * come here all the same, but its runtime is not in our search order: it is in the caller's. Kept in
 * *cache, and in memory for good, unless it is part of the caller, which must stay free to go.
 */
static void *next_of_caller(void **cache, const char *name, const void *caller)
{
    struct module calling, found;
    void *handle = NULL, *next = NULL;
    if (module_find((uint64_t)caller, &calling))
        handle = dlopen(calling.name, RTLD_LAZY | RTLD_NOLOAD);
    if (handle)
        next = dlsym(handle, name);
    if (next && module_find((uint64_t)next, &found) && found.start != calling.start &&
        dlopen(found.name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE))
        __atomic_store_n(cache, next, __ATOMIC_RELAXED);
    if (handle)
        real.dlclose(handle);
    return next;
}

static bool is_own(void)
{
    return real_resolve() && real.cxx_own && !sample.ended;
}

/* The next definition of `name`, where the hook goes from now on if it is not the allocator's; NULL when nobody has one. */
static void *next_of(void **cache, const char *name, const void *caller)
{
    void *found = real_next(name), *unused;
    bool stays = real_resolve() && !is_own();
    if (!found)
        return next_of_caller(stays ? cache : &unused, name, caller);
    if (stays)
        __atomic_store_n(cache, found, __ATOMIC_RELAXED);
    return found;
}

/* The allocator's own new: recorded; NULL when it has nothing to give. */
static void *own_new(size_t size, size_t alignment, struct unwind_start start)
{
    struct guard_thread *own = hook_enter();
    bool recorded = own && !sample_passes_over(size);
    size_t bytes = size < 16 ? 16 : size;
    void *address = alignment ? real.memalign(alignment, bytes) : real.malloc(bytes);
    if (recorded)
        tracker_alloc(own, address, size, &start);
    else if (!own && address)
        tracker_missed((const void *)start.pc);
    if (own)
        guard_leave(own);
    return address;
}

/* X(function, name, alignment), and X(function, name) below. */
#define CXX_NEWS(X)                                                          \
    X(cxx_new, "_Znwm", 0)                                                   \
    X(cxx_new_array, "_Znam", 0)                                             \
    X(cxx_new_nothrow, "_ZnwmRKSt9nothrow_t", 0)                             \
    X(cxx_new_array_nothrow, "_ZnamRKSt9nothrow_t", 0)                       \
    X(cxx_new_aligned, "_ZnwmSt11align_val_t", second)                       \
    X(cxx_new_array_aligned, "_ZnamSt11align_val_t", second)                 \
    X(cxx_new_aligned_nothrow, "_ZnwmSt11align_val_tRKSt9nothrow_t", second) \
    X(cxx_new_array_aligned_nothrow, "_ZnamSt11align_val_tRKSt9nothrow_t", second)

#define CXX_DELETES(X)                                                   \
    X(cxx_delete, "_ZdlPv")                                              \
    X(cxx_delete_array, "_ZdaPv")                                        \
    X(cxx_delete_sized, "_ZdlPvm")                                       \
    X(cxx_delete_array_sized, "_ZdaPvm")                                 \
    X(cxx_delete_nothrow, "_ZdlPvRKSt9nothrow_t")                        \
    X(cxx_delete_array_nothrow, "_ZdaPvRKSt9nothrow_t")                  \
    X(cxx_delete_aligned, "_ZdlPvSt11align_val_t")                       \
    X(cxx_delete_array_aligned, "_ZdaPvSt11align_val_t")                 \
    X(cxx_delete_sized_aligned, "_ZdlPvmSt11align_val_t")                \
    X(cxx_delete_array_sized_aligned, "_ZdaPvmSt11align_val_t")          \
    X(cxx_delete_aligned_nothrow, "_ZdlPvSt11align_val_tRKSt9nothrow_t") \
    X(cxx_delete_array_aligned_nothrow, "_ZdaPvSt11align_val_tRKSt9nothrow_t")

/* Where each hook goes: its slow half, until it is known to be of no use. */
struct operators {
#define CXX_FIELD(function, ...) void *function;
    CXX_NEWS(CXX_FIELD)
    CXX_DELETES(CXX_FIELD)
#undef CXX_FIELD
};

static struct operators operators; /* below */

/*
 * When the allocator has nothing to give, its operator takes over: new_handler and bad_alloc are its
 * business. Both that and libstdc++'s operators are tail calls: no frame of ours is in the way. Code
 * with operators that are nobody's (they were hidden, or are gone) gets what all of them end in.
 */
#define HOOK_NEW(function, name, alignment)                                                   \
    HOOK_HALF void *function##_found(size_t size, size_t second, size_t third)                \
    {                                                                                         \
        new_fn chosen;                                                                        \
        if (is_own()) {                                                                       \
            void *address = own_new(size, alignment, UNWIND_HERE());                          \
            if (address)                                                                      \
                return address;                                                               \
        }                                                                                     \
        chosen = (new_fn)next_of(&operators.function, name, __builtin_return_address(0));     \
        if (!chosen)                                                                          \
            return own_new(size, alignment, UNWIND_HERE());                                   \
        return chosen(size, second, third);                                                   \
    }                                                                                         \
    HOOK void *function(size_t size, size_t second, size_t third) __asm__(name);              \
    HOOK void *function(size_t size, size_t second, size_t third)                             \
    {                                                                                         \
        return ((new_fn)__atomic_load_n(&operators.function, __ATOMIC_RELAXED))(size, second, \
                                                                                third);       \
    }

#define HOOK_DELETE(function, name)                                                              \
    HOOK_HALF void function##_found(void *address, size_t second, size_t third)                  \
    {                                                                                            \
        delete_fn chosen = NULL;                                                                 \
        if (!is_own())                                                                           \
            chosen = (delete_fn)next_of(&operators.function, name, __builtin_return_address(0)); \
        if (chosen)                                                                              \
            chosen(address, second, third);                                                      \
        else                                                                                     \
            free(address);                                                                       \
    }                                                                                            \
    HOOK void function(void *address, size_t second, size_t third) __asm__(name);                \
    HOOK void function(void *address, size_t second, size_t third)                               \
    {                                                                                            \
        ((delete_fn)__atomic_load_n(&operators.function, __ATOMIC_RELAXED))(address, second,     \
                                                                            third);              \
    }

CXX_NEWS(HOOK_NEW)
CXX_DELETES(HOOK_DELETE)

static struct operators operators = {
#define CXX_FIRST(function, ...) .function = function##_found,
    CXX_NEWS(CXX_FIRST) CXX_DELETES(CXX_FIRST)
#undef CXX_FIRST
};

void hooks_cxx_init(void)
{
    void *found;
    if (!real_resolve() || !real.cxx_new || real.cxx_own)
        return;
#define CXX_LOOK_UP(function, name, ...) \
    if ((found = real_next(name)))       \
        operators.function = found;
    CXX_NEWS(CXX_LOOK_UP)
    CXX_DELETES(CXX_LOOK_UP)
#undef CXX_LOOK_UP
}
