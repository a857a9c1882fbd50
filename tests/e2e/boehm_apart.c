/* A program on the Boehm collector with a plugin that has another one, in a namespace: whose is what the plugin makes? */
#include <dlfcn.h>
#include <gc.h>
#include <stdio.h>

int main(int count, char **arguments)
{
    GC_INIT();
    void *own = GC_malloc(40);
    void *handle = count > 1 ? dlmopen(LM_ID_NEWLM, arguments[1], RTLD_LAZY) : NULL;
    void *(*make)(void) = handle ? (void *(*)(void))dlsym(handle, "plugin_object") : NULL;
    void *object = make ? make() : NULL;
    printf("%d: %s, %s\n", object != NULL, GC_base(own) ? "ours" : "nobody's",
           GC_base(object) ? "ours" : "the plugin's");
    return 0;
}
