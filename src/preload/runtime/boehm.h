/*
 * boehm.h - the Boehm collector (libgc), and programs on it, as Guile.
 *
 * What it is: its functions behind our hooks, and what happens at its events: its mark bits say which objects
 *   are garbage, those are counted as freed, and what is left is live as of a mark.
 * Owns: the program's event hook, which is called after ours; the collector's functions.
 * Context: boehm_resolve() in hooks, it takes no lock of the loader. The event hook is called by libgc, with its
 *   lock held.
 * Not here: the hooks (hooks_boehm.c); finding libgc (runtime.h); freeing objects (boehm_heap.h).
 */
#ifndef HEAPDIFF_PRELOAD_BOEHM_H
#define HEAPDIFF_PRELOAD_BOEHM_H

#include "runtime.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void (*boehm_event_fn)(int event);
typedef void (*boehm_set_event_fn)(boehm_event_fn event);
typedef int (*boehm_roots_fn)(const char *name, void *start, size_t bytes);

/* Hooked: X(function). What they take is passed on in registers, as many as any of them has. */
#define BOEHM_HOOKED(X)                       \
    X(GC_malloc)                              \
    X(GC_malloc_atomic)                       \
    X(GC_malloc_uncollectable)                \
    X(GC_malloc_atomic_uncollectable)         \
    X(GC_malloc_stubborn)                     \
    X(GC_malloc_ignore_off_page)              \
    X(GC_malloc_atomic_ignore_off_page)       \
    X(GC_malloc_explicitly_typed)             \
    X(GC_generic_malloc)                      \
    X(GC_malloc_kind)                         \
    X(GC_malloc_kind_global)                  \
    X(GC_finalized_malloc)                    \
    X(GC_gcj_malloc)                          \
    X(GC_calloc_explicitly_typed)             \
    X(GC_strdup)                              \
    X(GC_strndup)                             \
    X(GC_memalign)                            \
    X(GC_posix_memalign)                      \
    X(GC_realloc)                             \
    X(GC_free)                                \
    X(GC_debug_malloc)                        \
    X(GC_debug_malloc_atomic)                 \
    X(GC_debug_malloc_uncollectable)          \
    X(GC_debug_malloc_atomic_uncollectable)   \
    X(GC_debug_malloc_stubborn)               \
    X(GC_debug_malloc_ignore_off_page)        \
    X(GC_debug_malloc_atomic_ignore_off_page) \
    X(GC_debug_malloc_replacement)            \
    X(GC_debug_strdup)                        \
    X(GC_debug_strndup)                       \
    X(GC_debug_realloc)                       \
    X(GC_debug_realloc_replacement)           \
    X(GC_debug_free)                          \
    X(GC_generic_malloc_many)                 \
    X(GC_set_on_collection_event)             \
    X(GC_get_on_collection_event)             \
    X(GC_register_has_static_roots_callback)

/* Called only. */
#define BOEHM_CALLED(X)                \
    X(GC_get_version)                  \
    X(GC_base)                         \
    X(GC_size)                         \
    X(GC_is_marked)                    \
    X(GC_is_heap_ptr)                  \
    X(GC_get_kind_and_size)            \
    X(GC_apply_to_all_blocks)          \
    X(GC_get_heap_size)                \
    X(GC_get_free_bytes)               \
    X(GC_get_free_space_divisor)       \
    X(GC_least_plausible_heap_addr)    \
    X(GC_greatest_plausible_heap_addr) \
    X(GC_get_start_callback)           \
    X(GC_set_start_callback)           \
    X(GC_on_collection_event) /* a variable, which is only seen where libgc is linked in */

/* Addresses of libgc's own, as numbers; 0: this version has none. */
struct boehm {
#define BOEHM_FIELD(name) uintptr_t name;
    BOEHM_HOOKED(BOEHM_FIELD)
    BOEHM_CALLED(BOEHM_FIELD)
#undef BOEHM_FIELD
};

extern struct boehm boehm __attribute__((visibility("hidden")));

/* False: there is no libgc that calls could be passed on to. */
bool boehm_resolve(void);

/* The program's hook, as GC_set_on_collection_event() would keep it. */
void boehm_set_event(boehm_event_fn event);
boehm_event_fn boehm_event(void);

/* The program's callback for what libgc is to scan, as GC_register_has_static_roots_callback() would keep it. */
void boehm_set_roots(boehm_roots_fn callback);

/* Whether the program's calls are to come by our hooks: libgc was there from the start. */
bool boehm_is_hooked(void);

/* Whether objects are to be recorded. */
bool boehm_records(void);

#endif
