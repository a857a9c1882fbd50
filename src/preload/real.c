#include "real.h"

#include "module.h"
#include "sample.h"

#include <dlfcn.h>
#include <string.h>

enum { BOOT_BYTES = 16 << 10 }; /* glibc's dlsym asks for at most a few hundred */

static void boot_free(void *address);

struct real real = {.free = boot_free}; /* a free that comes before anything is recorded */

static struct {
    bool resolving;
    bool resolved;
    size_t boot_used_bytes;
    _Alignas(16) unsigned char boot[BOOT_BYTES];
} state;

/* Each block is preceded by its size, in a cell of 16. */
void *boot_alloc(size_t size_bytes)
{
    size_t need = 16 + ((size_bytes + 15) & ~(size_t)15);
    if (size_bytes > BOOT_BYTES || need > BOOT_BYTES - state.boot_used_bytes)
        return NULL;
    unsigned char *cell = state.boot + state.boot_used_bytes;
    state.boot_used_bytes += need;
    memcpy(cell, &size_bytes, sizeof(size_bytes));
    return cell + 16;
}

bool boot_owns(const void *address)
{
    return (uintptr_t)address - (uintptr_t)state.boot < BOOT_BYTES;
}

void boot_watch(void (*watch)(uintptr_t address))
{
    for (uintptr_t at = 0; at < BOOT_BYTES + 4095; at += 4096)
        watch((uintptr_t)state.boot + at);
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

bool real_resolve(void)
{
    if (__builtin_expect(state.resolved, true))
        return true;
    if (state.resolving)
        return false;
    state.resolving = true;
    sample_init(); /* also where recording never starts: our boot memory is not the allocator's */
#define REAL_RESOLVE(result, name, parameters) *(void **)&real.name = real_next(#name);
    REAL_FUNCTIONS(REAL_RESOLVE)
#undef REAL_RESOLVE
    real.cxx_new = real_next("_Znwm");
    real.cxx_own = real.cxx_new && same_object(real.cxx_new, *(void **)&real.malloc);
    state.resolved = true;
    return true;
}

const char *real_allocator(void)
{
    static const char *const names[] = {"jemalloc", "tcmalloc", "mimalloc", "musl", NULL};
    struct module module;
    if (!module_find((uint64_t) * (void **)&real.malloc, &module))
        return "other";
    for (int i = 0; names[i]; i++)
        if (strstr(module.name, names[i]))
            return names[i];
    return strstr(module.name, "/libc.so") || strstr(module.name, "/libc-") ? "glibc" : "other";
}
