/* A program that has two states of Lua, each in a thread of its own; and, with an argument, a plugin with one more.
   Prints how many collections it has asked for. */
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>

struct lua;
struct lua *luaL_newstate(void);
void luaL_openlibs(struct lua *);
int luaL_loadstring(struct lua *, const char *text);
int lua_gc(struct lua *, int what, int data);
void lua_close(struct lua *);
void lua_settop(struct lua *, int index);

enum { STOP = 0, COLLECT = 2, EACH = 20 };

static void *run(void *unused)
{
    struct lua *lua = luaL_newstate();
    lua_gc(lua, STOP, 0);
    luaL_openlibs(lua);
    for (int i = 0; i < EACH; i++) {
        luaL_loadstring(lua, "return {1, 2, 3}");
        lua_settop(lua, 0);
        lua_gc(lua, COLLECT, 0);
    }
    lua_close(lua);
    return unused;
}

int main(int count, char **arguments)
{
    pthread_t threads[2];
    void *plugin = count > 1 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    void (*start)(void) = plugin ? (void (*)(void))dlsym(plugin, "plugin_run") : NULL;
    if (start)
        start();
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, run, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("%d\n", 2 * EACH);
    return 0;
}
