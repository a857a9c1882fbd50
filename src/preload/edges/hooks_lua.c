/* Where states of Lua are made. */
#include "hook.h"

#include "preload/runtime/lua.h"

struct lua *luaL_newstate(void);
struct lua *lua_newstate(void *allocator, void *data, unsigned seed);

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
