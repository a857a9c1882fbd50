/* Asks for what it is not linked with, by weak references and by dlsym(): prints each name that it finds. */
#include <dlfcn.h>
#include <stdio.h>

#define NAMES(X)                              \
    X(mallctl)                                \
    X(mallctlnametomib)                       \
    X(mallctlbymib)                           \
    X(luaL_newstate)                          \
    X(lua_newstate)                           \
    X(ruby_init)                              \
    X(ruby_setup)                             \
    X(GC_calloc_explicitly_typed)             \
    X(GC_debug_free)                          \
    X(GC_debug_malloc)                        \
    X(GC_debug_malloc_atomic)                 \
    X(GC_debug_malloc_atomic_ignore_off_page) \
    X(GC_debug_malloc_atomic_uncollectable)   \
    X(GC_debug_malloc_ignore_off_page)        \
    X(GC_debug_malloc_replacement)            \
    X(GC_debug_malloc_stubborn)               \
    X(GC_debug_malloc_uncollectable)          \
    X(GC_debug_realloc)                       \
    X(GC_debug_realloc_replacement)           \
    X(GC_debug_strdup)                        \
    X(GC_debug_strndup)                       \
    X(GC_finalized_malloc)                    \
    X(GC_free)                                \
    X(GC_gcj_malloc)                          \
    X(GC_generic_malloc)                      \
    X(GC_generic_malloc_many)                 \
    X(GC_get_on_collection_event)             \
    X(GC_malloc)                              \
    X(GC_malloc_atomic)                       \
    X(GC_malloc_atomic_ignore_off_page)       \
    X(GC_malloc_atomic_uncollectable)         \
    X(GC_malloc_explicitly_typed)             \
    X(GC_malloc_ignore_off_page)              \
    X(GC_malloc_kind)                         \
    X(GC_malloc_kind_global)                  \
    X(GC_malloc_stubborn)                     \
    X(GC_malloc_uncollectable)                \
    X(GC_memalign)                            \
    X(GC_posix_memalign)                      \
    X(GC_realloc)                             \
    X(GC_register_has_static_roots_callback)  \
    X(GC_set_on_collection_event)             \
    X(GC_strdup)                              \
    X(GC_strndup)

#define DECLARE(name) void name(void) __attribute__((weak));
NAMES(DECLARE)

#define ENTRY(name) {#name, name},
static const struct {
    const char *name;
    void (*function)(void);
} names[] = {NAMES(ENTRY)};

int main(void)
{
    int count = sizeof names / sizeof names[0];
    for (int i = 0; i < count; i++)
        if (names[i].function || dlsym(RTLD_DEFAULT, names[i].name))
            printf("%s: %s, %s\n", names[i].name, names[i].function ? "bound" : "unbound",
                   dlsym(RTLD_DEFAULT, names[i].name) ? "found" : "not found");
    printf("%d names\n", count);
    return 0;
}
