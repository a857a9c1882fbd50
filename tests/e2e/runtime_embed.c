/* A program with a JVM in it: runtime_embed LIBJVM COUNT makes one and has it collect COUNT times. Prints how it went. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

/* jni.h, as far as it is needed: the place of each function in its table is part of the standard. */
enum { DESTROY_VM = 3, FIND_CLASS = 6, GET_STATIC_METHOD = 113, CALL_STATIC_VOID = 141 };
enum { JNI_VERSION = 0x00010008 };

struct arguments {
    int version, count;
    void *options;
    unsigned char ignore;
};

typedef int (*create_fn)(void **vm, void **env, void *arguments);

int main(int argc, char **argv)
{
    struct arguments arguments = {.version = JNI_VERSION};
    void **vm, **env;
    void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW) : NULL;
    create_fn create = library ? (create_fn)dlsym(library, "JNI_CreateJavaVM") : NULL;
    if (!create || create((void **)&vm, (void **)&env, &arguments) != 0) {
        puts("no JVM");
        return 1;
    }
    void **calls = *env;
    void *system = ((void *(*)(void *, const char *))calls[FIND_CLASS])(env, "java/lang/System");
    void *collect = ((void *(*)(void *, void *, const char *,
                                const char *))calls[GET_STATIC_METHOD])(env, system, "gc", "()V");
    for (int i = 0; i < atoi(argv[2]); i++)
        ((void (*)(void *, void *, void *, ...))calls[CALL_STATIC_VOID])(env, system, collect);
    printf("destroyed %d\n", ((int (*)(void *))(*(void ***)vm)[DESTROY_VM])(vm));
    return 0;
}
