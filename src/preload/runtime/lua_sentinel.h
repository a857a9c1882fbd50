/*
 * lua_sentinel.h - an object in a state of Lua that tells of collections, by its finalizer.
 *
 * What it is: one is always held by the registry, and the one before it was let go: a collection finds that one out, at
 *   once or, if it is an old object of a generational collector, in the next major one. Its finalizer tells of
 *   that, lets the held one go, which has just lived through such a collection, and makes another. Who is
 *   finalized while it is held knows that the state closes.
 * Owns: nothing: the objects are the state's.
 * Context: where Lua's functions may be called.
 * Not here: what a library is (lua.c), coming there (edges/hooks_lua.c).
 */
#ifndef HEAPDIFF_PRELOAD_LUA_SENTINEL_H
#define HEAPDIFF_PRELOAD_LUA_SENTINEL_H

#include "runtime.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lua; /* a state */

typedef int (*lua_fn)(struct lua *state);

enum {
    LUA_REGISTRY_OLD = -10000, /* LUA_REGISTRYINDEX of 5.1 and LuaJIT */
    LUA_REGISTRY = -1001000    /* of 5.2 to 5.4, as they come */
};

/* X(result, name, parameters): what all versions have. */
#define LUA_FUNCTIONS(X)                                               \
    X(void, lua_settop, (struct lua *, int index))                     \
    X(void, lua_pushlightuserdata, (struct lua *, void *))             \
    X(void, lua_pushcclosure, (struct lua *, lua_fn, int values))      \
    X(const char *, lua_pushstring, (struct lua *, const char *))      \
    X(void, lua_createtable, (struct lua *, int elements, int fields)) \
    X(void, lua_setfield, (struct lua *, int index, const char *key))  \
    X(void, lua_rawset, (struct lua *, int index))                     \
    X(void, lua_rawget, (struct lua *, int index))                     \
    X(int, lua_setmetatable, (struct lua *, int index))                \
    X(void *, lua_touserdata, (struct lua *, int index))               \
    X(void, lua_pushvalue, (struct lua *, int index))                  \
    X(int, lua_gc, (struct lua *, int what, ...))

/* ... and what only some have: which ones tells the version. */
#define LUA_OTHERS(X)                                                                        \
    X(void *, lua_newuserdata, (struct lua *, size_t bytes))               /* to 5.3 */      \
    X(void *, lua_newuserdatauv, (struct lua *, size_t bytes, int values)) /* 5.4 */         \
    X(int, lua_cpcall, (struct lua *, lua_fn, void *))                     /* 5.1 */         \
    X(int, lua_pcallk,                                                     /* from 5.2 on */ \
      (struct lua *, int arguments, int results, int handler, intptr_t context, void *next))

#define LUA_FIELD(result, name, parameters) result(*name) parameters;

struct lua_api {
    LUA_FUNCTIONS(LUA_FIELD)
    LUA_OTHERS(LUA_FIELD)
};

/* A library that makes states, or the program, where it is linked in. */
struct lua_library {
    uint64_t start; /* of its object; 0: unused */
    const struct runtime *runtime;
    lua_fn enter; /* lua_sentinel_enter() for this library: a state alone does not tell it */
    int registry; /* LUA_REGISTRYINDEX */
    bool is_fit;  /* all that its version needs is there */
    bool is_generational; /* its states may have begun to collect by generations before we come */
    struct lua_api api;
    char version[BOX_RUNTIME_VERSION_BYTES];
};

/* Once for each state; again and again does no harm. False: there is no memory. */
bool lua_sentinel_start(struct lua_library *library, struct lua *lua);

/* What `enter` is to call and return. */
int lua_sentinel_enter(struct lua_library *library, struct lua *lua);

#endif
