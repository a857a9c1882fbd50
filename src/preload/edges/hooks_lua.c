/* Where states of Lua are made. */
#include "hook.h"

#include "hooks_runtime.h"
#include "preload/runtime/lua.h"

typedef struct lua *(*make_fn)(void);
typedef struct lua *(*make_with_fn)(void *, void *, unsigned);

static uintptr_t first_luaL_newstate, first_lua_newstate;

static struct lua *hook_luaL_newstate(void)
{
    uintptr_t next = real_meant("luaL_newstate", __builtin_return_address(0), first_luaL_newstate);
    struct lua *lua = ((make_fn)next)();
    if (lua)
        lua_began(lua, (const void *)next);
    return lua;
}

/* The seed is 5.5's; others do not look at it. */
static struct lua *hook_lua_newstate(void *allocator, void *data, unsigned seed)
{
    uintptr_t next = real_meant("lua_newstate", __builtin_return_address(0), first_lua_newstate);
    struct lua *lua = ((make_with_fn)next)(allocator, data, seed);
    if (lua)
        lua_began(lua, (const void *)next);
    return lua;
}

static const struct relink_name names[] = {
    {"luaL_newstate", (void *)hook_luaL_newstate, &first_luaL_newstate},
    {"lua_newstate", (void *)hook_lua_newstate, &first_lua_newstate},
    {NULL, NULL, NULL}};

const struct relink_group hooks_lua = {names, NULL, RELINK_ANY};
