/* Where states of Lua are made, and where a program that has Lua linked in asks for what to begin with. */
#include "hook.h"

#include "preload/runtime/lua.h"

#include <string.h>
#include <unistd.h>

struct lua *luaL_newstate(void);
struct lua *lua_newstate(void *allocator, void *data, unsigned seed);
char *getenv(const char *name);

HOOK struct lua *luaL_newstate(void)
{
    struct lua *(*next)(void) = real_meant("luaL_newstate", __builtin_return_address(0));
    struct lua *lua = next ? next() : NULL;
    if (lua)
        lua_began(lua, *(void **)&next);
    return lua;
}

/* The seed is 5.5's; others do not look at it. */
HOOK struct lua *lua_newstate(void *allocator, void *data, unsigned seed)
{
    struct lua *(*next)(void *, void *, unsigned) =
        real_meant("lua_newstate", __builtin_return_address(0));
    struct lua *lua = next ? next(allocator, data, seed) : NULL;
    if (lua)
        lua_began(lua, *(void **)&next);
    return lua;
}

/* Before there is a next one: allocators ask for their options at their first call, and the loader, which would be
   asked for it, allocates. */
static char *look_up(const char *name)
{
    size_t length = strlen(name);
    for (char **at = environ; at && *at; at++)
        if (strncmp(*at, name, length) == 0 && (*at)[length] == '=')
            return *at + length + 1;
    return NULL;
}

HOOK char *getenv(const char *name)
{
    char *value = real.getenv ? real.getenv(name) : look_up(name);
    if (strncmp(name, "LUA_INIT", strlen("LUA_INIT")) != 0)
        return value;
    const char *ours = lua_init_text(name, value, __builtin_return_address(0));
    return ours ? (char *)(uintptr_t)ours : value;
}
