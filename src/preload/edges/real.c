#include "real.h"

#include "preload/ground/module.h"
#include "preload/ground/sample.h"
#include "preload/runtime/symbol.h"

#include <dlfcn.h>
#include <string.h>

static void boot_free(void *address);

struct real real = {.free = boot_free}; /* a free that comes before anything is recorded */

static struct {
    bool resolving;
    bool resolved;
    size_t boot_used_bytes;
} state;

_Alignas(16) unsigned char boot_memory[BOOT_BYTES];

/* Each block is preceded by its size, in a cell of 16. */
void *boot_alloc(size_t size_bytes)
{
    size_t need = 16 + ((size_bytes + 15) & ~(size_t)15);
    if (size_bytes > BOOT_BYTES || need > BOOT_BYTES - state.boot_used_bytes)
        return NULL;
    unsigned char *cell = boot_memory + state.boot_used_bytes;
    state.boot_used_bytes += need;
    memcpy(cell, &size_bytes, sizeof(size_bytes));
    return cell + 16;
}

void boot_watch(void (*watch)(uintptr_t address))
{
    const uintptr_t span_bytes = 1 << SAMPLE_SPAN_SHIFT;
    for (uintptr_t at = 0; at < BOOT_BYTES + span_bytes - 1; at += span_bytes)
        watch((uintptr_t)boot_memory + at);
}

size_t boot_size(const void *address)
{
    size_t size_bytes;
    memcpy(&size_bytes, (const unsigned char *)address - 16, sizeof(size_bytes));
    return size_bytes;
}

void *real_next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

void real_found_all(void)
{
    real_next("malloc");
}

/* By the library of this name, which is there already. */
static void *defined_by(const char *library, const char *name)
{
    void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    if (!handle)
        return NULL;
    void *found = dlsym(handle, name);
    real.dlclose(handle);
    return found;
}

static void *needed_by(const struct module *module, const char *name)
{
    const char *library;
    void *found = NULL;
    for (unsigned i = 0; !found && (library = symbol_needs(module, i)); i++)
        found = defined_by(library, name);
    return found;
}

static void *meant(const char *name, const void *caller)
{
    struct module module;
    bool is_known = module_find((uint64_t)caller, &module);
    void *found = is_known ? (void *)symbol_find(&module, name) : NULL;
    if (!found && is_known)
        found = needed_by(&module, name);
    return found ? found : real_next(name);
}

uintptr_t real_meant(const char *name, const void *caller, uintptr_t first)
{
    void *found = real_resolve() ? meant(name, caller) : NULL;
    if (!found)
        real_found_all();
    return found ? (uintptr_t)found : first;
}

static bool same_object(const void *a, const void *b)
{
    struct module of_a, of_b;
    return module_find((uint64_t)a, &of_a) && module_find((uint64_t)b, &of_b) &&
           of_a.start == of_b.start;
}

static void boot_free(void *address)
{
    if (!boot_owns(address) && real_resolve())
        real.free(address);
}

/* Whether what the program's calls of `name` find lies in another object than ours. In programs that are not
   position independent that may be the stub through which they call ours. */
static bool is_before_us(const char *name, const void *found)
{
    struct module module;
    return found && module_find((uint64_t)found, &module) &&
           !same_object(found, (const void *)&real) &&
           (module.name[0] != '\0' || symbol_find(&module, name) != 0);
}

bool real_resolve(void)
{
    if (__builtin_expect(state.resolved, true))
        return true;
    if (state.resolving)
        return false;
    state.resolving = true;
    sample_init(); /* free() is to know boot memory from the allocator's */
#define REAL_RESOLVE(result, name, parameters) *(void **)&real.name = real_next(#name);
    REAL_FUNCTIONS(REAL_RESOLVE)
#undef REAL_RESOLVE
    const void *array = real_next("reallocarray");
    real.array_own = array && same_object(array, *(void **)&real.malloc);
    real.cxx_new = real_next("_Znwm");
    real.cxx_own = real.cxx_new && same_object(real.cxx_new, *(void **)&real.malloc);
    void *first = dlsym(RTLD_DEFAULT, "realloc");
    if (is_before_us("realloc", first))
        *(void **)&real.realloc_before = first;
    state.resolved = true;
    return true;
}

const char *real_before(void)
{
    struct module module;
    const void *first = *(void **)&real.realloc_before;
    return first && module_find((uint64_t)first, &module) ? module.name : NULL;
}

const char *real_allocator(void)
{
    static const char *const names[] = {"jemalloc", "tcmalloc", "mimalloc", "musl", NULL};
    const void *code =
        real.realloc_before ? *(void **)&real.realloc_before : *(void **)&real.malloc;
    struct module module;
    if (!module_find((uint64_t)code, &module))
        return "other";
    if (module.name[0] == '\0')
        return "the program's own";
    for (int i = 0; names[i]; i++)
        if (strstr(module.name, names[i]))
            return names[i];
    return strstr(module.name, "/libc.so") || strstr(module.name, "/libc-") ? "glibc" : "other";
}
