/*
 * Plugins that each bring a library of their own, with a function of the same name: whom a plugin's first call of it means,
 * only the loader knows. Alternately hidden from the rest, and with its own libraries before all others.
 */
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        int mode = i % 2 ? RTLD_LOCAL : RTLD_GLOBAL | RTLD_DEEPBIND;
        void *handle = dlopen(arguments[i], RTLD_LAZY | mode);
        int (*purge)(void) = handle ? (int (*)(void))dlsym(handle, "purge") : NULL;
        printf("%d\n", purge ? purge() : -1);
    }
    return 0;
}
