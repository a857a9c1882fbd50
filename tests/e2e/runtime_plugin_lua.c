/* A plugin with a Lua of its own. */
#include <stddef.h>
#include <stdio.h>

struct lua;
struct lua *luaL_newstate(void);
void luaL_openlibs(struct lua *);
int lua_gc(struct lua *, int what, int data);
void lua_close(struct lua *);
void lua_getfield(struct lua *, int index, const char *name);
const char *lua_tolstring(struct lua *, int index, size_t *length);

enum { GLOBALS = -10002, STOP = 0, COLLECT = 2, EACH = 20 }; /* of 5.1 */

__attribute__((visibility("default"))) void plugin_run(void);

void plugin_run(void)
{
    struct lua *lua = luaL_newstate();
    lua_gc(lua, STOP, 0);
    luaL_openlibs(lua);
    lua_getfield(lua, GLOBALS, "_VERSION");
    puts(lua_tolstring(lua, -1, NULL));
    for (int i = 0; i < EACH; i++)
        lua_gc(lua, COLLECT, 0);
    lua_close(lua);
}
