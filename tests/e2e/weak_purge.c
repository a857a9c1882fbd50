/*
 * A program on jemalloc, by each way in which code may know a function of a library: it purges once by a call, by a
 * pointer in its data, by the address that it takes, and in plugins; then by what dlsym() says of the library and,
 * unseen, of the whole program.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

typedef int (*control_fn)(const char *, void *, size_t *, void *, size_t);

#ifdef WEAK
__attribute__((weak))
#endif
int mallctl(const char *, void *, size_t *, void *, size_t);

static control_fn in_data = mallctl;
static const control_fn in_constant_data = mallctl;

static void say(const char *how, int result)
{
    printf("%s %d\n", how, result);
}

static void plugin(const char *path)
{
    void *handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    int (*purge)(void) = handle ? (int (*)(void))dlsym(handle, "purge") : NULL;
    say("plugin", purge ? purge() : -1);
    if (handle)
        dlclose(handle); /* the next one may be put where it was */
}

int main(int count, char **arguments)
{
    static const char name[] = "arena.0.purge";
    control_fn volatile taken = mallctl;
    if (!taken)
        return 1;
    say("call", mallctl(name, NULL, NULL, NULL, 0));
    say("data", in_data(name, NULL, NULL, NULL, 0));
    say("constant", (*(control_fn const volatile *)&in_constant_data)(name, NULL, NULL, NULL, 0));
    say("address", taken(name, NULL, NULL, NULL, 0));
    say("equal", taken == in_data && taken == in_constant_data);
    for (int i = 1; i < count; i++)
        plugin(arguments[i]);
    void *library = dlopen("libjemalloc.so.2", RTLD_LAZY | RTLD_NOLOAD);
    control_fn found = library ? (control_fn)dlsym(library, "mallctl") : NULL;
    say("library", found ? found(name, NULL, NULL, NULL, 0) : -1);
    control_fn asked = (control_fn)dlsym(RTLD_DEFAULT, "mallctl");
    say("asked", asked ? asked(name, NULL, NULL, NULL, 0) : -1);
    return 0;
}
