/*
 * __register_frame and its kin: how runtimes that generate code tell libgcc where its unwind sections
 * are. We remember them too, then pass the call on. The sections of a "table" come in an array.
 */
#include "hook.h"

#include <dlfcn.h>

typedef void (*register_fn)(const void *, void *, void *, void *);
typedef void *(*deregister_fn)(const void *);

/*
 * The next definition of `name`, looked up once. A library that was loaded for itself (RTLD_LOCAL) may
 * have brought libgcc_s in: it is not in our search order, but it is the one there is. It then stays.
 */
static void *next_of(void **cache, const char *name)
{
    void *found = __atomic_load_n(cache, __ATOMIC_RELAXED);
    if (found)
        return found;
    real_resolve();
    found = real_next(name);
    if (!found) {
        void *library = dlopen("libgcc_s.so.1", RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
        found = library ? dlsym(library, name) : NULL;
    }
    __atomic_store_n(cache, found, __ATOMIC_RELAXED);
    return found;
}

/* Threads that remember a stack through this code have walked it by what is no longer true. */
static void changed(bool known)
{
    if (known && guard_process.recording)
        guard_forget();
}

static void add_one(const void *entries)
{
    changed(unwind_register(entries));
}

static void add_table(const void *table)
{
    for (const void *const *at = table; at && *at; at++)
        add_one(*at);
}

/* What was registered as a table is not found by its own address. */
static void remove_any(const void *entries)
{
    bool known = unwind_unregister(entries);
    /* libgcc takes NULL, and does nothing. */
    for (const void *const *at = entries; at && !known && unwind_unregister(*at); at++)
        changed(true);
    changed(known);
}

/* X(function, remember): libgcc reads as many of the four arguments as each has. */
#define FRAME_REGISTERS(X)                    \
    X(__register_frame, add_one)              \
    X(__register_frame_info, add_one)         \
    X(__register_frame_info_bases, add_one)   \
    X(__register_frame_table, add_table)      \
    X(__register_frame_info_table, add_table) \
    X(__register_frame_info_table_bases, add_table)

#define FRAME_DEREGISTERS(X)   \
    X(__deregister_frame)      \
    X(__deregister_frame_info) \
    X(__deregister_frame_info_bases)

/* Tail calls: no frame of ours is in the way of what libgcc allocates. */
#define HOOK_REGISTER(function, remember)                                          \
    HOOK void function(const void *entries, void *object, void *text, void *data); \
    HOOK void function(const void *entries, void *object, void *text, void *data)  \
    {                                                                              \
        static void *cache;                                                        \
        register_fn next = (register_fn)next_of(&cache, #function);                \
        remember(entries);                                                         \
        if (next)                                                                  \
            next(entries, object, text, data);                                     \
    }

#define HOOK_DEREGISTER(function)                                       \
    HOOK void *function(const void *entries);                           \
    HOOK void *function(const void *entries)                            \
    {                                                                   \
        static void *cache;                                             \
        deregister_fn next = (deregister_fn)next_of(&cache, #function); \
        remove_any(entries);                                            \
        return next ? next(entries) : NULL;                             \
    }

FRAME_REGISTERS(HOOK_REGISTER)
FRAME_DEREGISTERS(HOOK_DEREGISTER)
