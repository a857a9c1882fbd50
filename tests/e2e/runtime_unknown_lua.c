#include "runtime_unknown.h"

FORBIDDEN(lua_settop)
FORBIDDEN(lua_pushlightuserdata)
FORBIDDEN(lua_pushcclosure)
FORBIDDEN(lua_pushstring)
FORBIDDEN(lua_createtable)
FORBIDDEN(lua_setfield)
FORBIDDEN(lua_rawset)
FORBIDDEN(lua_rawget)
FORBIDDEN(lua_setmetatable)
FORBIDDEN(lua_touserdata)
FORBIDDEN(lua_pushvalue)
FORBIDDEN(lua_gc)
FORBIDDEN(lua_newuserdatauv)
FORBIDDEN(lua_pcallk)
FORBIDDEN(lua_newstate)

extern const char lua_ident[];
const char lua_ident[] = "$LuaVersion: Lua 5.9.0  Copyright (C) some day $";

void *luaL_newstate(void);

void *luaL_newstate(void)
{
    static int state;
    return &state;
}

void unknown_use(void)
{
    if (!luaL_newstate())
        abort();
}
