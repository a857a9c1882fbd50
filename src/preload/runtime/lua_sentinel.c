#include "lua_sentinel.h"

#include "preload/views/collection.h"

enum { COLLECT = 2, COUNT = 3, COUNT_REST = 4 }; /* lua_gc() */

struct sentinel {
    struct sentinel
        *before; /* let go when this one was made; it may be gone once this one is let go */
    bool is_let_go;
    bool is_closing; /* the state ends: that was no collection */
};

/* Sentinels. An error, as of no memory, leaves by a jump: these are called by protect(). */

/* registry[key] = what is on top */
static void registry_set(const struct lua_library *library, struct lua *lua, const void *key)
{
    const struct lua_api *api = &library->api;
    api->lua_pushlightuserdata(lua, (void *)(uintptr_t)key);
    api->lua_pushvalue(lua, -2);
    api->lua_rawset(lua, library->registry);
    api->lua_settop(lua, -2);
}

static void *registry_get(const struct lua_library *library, struct lua *lua, const void *key)
{
    library->api.lua_pushlightuserdata(lua, (void *)(uintptr_t)key);
    library->api.lua_rawget(lua, library->registry);
    return library->api.lua_touserdata(lua, -1);
}

/* Places in our own memory, as nobody else's keys are. */
static const char key_held, key_metatable, key_weak;

static void *newuserdata(const struct lua_library *library, struct lua *lua, size_t bytes)
{
    return library->api.lua_newuserdatauv ? library->api.lua_newuserdatauv(lua, bytes, 0)
                                          : library->api.lua_newuserdata(lua, bytes);
}

/* On top of the stack. */
static struct sentinel *sentinel_new(const struct lua_library *library, struct lua *lua)
{
    const struct lua_api *api = &library->api;
    struct sentinel *sentinel = newuserdata(library, lua, sizeof(*sentinel));
    *sentinel = (struct sentinel){0};
    registry_get(library, lua, &key_metatable);
    api->lua_setmetatable(lua, -2);
    return sentinel;
}

/* What a weak table has until a collection looks at it: when a state closes, none does. */
static void make_witness(const struct lua_library *library, struct lua *lua)
{
    const struct lua_api *api = &library->api;
    registry_get(library, lua, &key_weak);
    api->lua_pushlightuserdata(lua, (void *)(uintptr_t)&key_weak);
    newuserdata(library, lua, 1);
    api->lua_rawset(lua, -3);
    api->lua_settop(lua, -2);
}

static bool has_witness(const struct lua_library *library, struct lua *lua)
{
    registry_get(library, lua, &key_weak);
    library->api.lua_pushlightuserdata(lua, (void *)(uintptr_t)&key_weak);
    library->api.lua_rawget(lua, -2);
    return library->api.lua_touserdata(lua, -1) != NULL;
}

/* Lets the held one go. */
static void replace(const struct lua_library *library, struct lua *lua)
{
    struct sentinel *held = registry_get(library, lua, &key_held);
    struct sentinel *next = sentinel_new(library, lua);
    next->before = held;
    registry_set(library, lua, &key_held);
    make_witness(library, lua);
    if (held)
        held->is_let_go = true;
}

static void make_weak(const struct lua_library *library, struct lua *lua)
{
    const struct lua_api *api = &library->api;
    api->lua_createtable(lua, 0, 1);
    api->lua_createtable(lua, 0, 1);
    api->lua_pushstring(lua, "v");
    api->lua_setfield(lua, -2, "__mode");
    api->lua_setmetatable(lua, -2);
    registry_set(library, lua, &key_weak);
}

static void start(const struct lua_library *library, struct lua *lua)
{
    const struct lua_api *api = &library->api;
    if (registry_get(library, lua, &key_held))
        return;
    api->lua_createtable(lua, 0, 1);
    api->lua_pushcclosure(lua, library->enter, 0);
    api->lua_setfield(lua, -2, "__gc");
    registry_set(library, lua, &key_metatable);
    make_weak(library, lua);
    replace(library, lua);
    if (library->is_generational)
        api->lua_gc(lua, COLLECT, 0); /* now it is an old one */
    replace(library, lua);
}

/* True: the function, which is given `argument` and returns nothing, has not failed. */
static bool protect(const struct lua_library *library, struct lua *lua, void *argument)
{
    const struct lua_api *api = &library->api;
    int failed;
    if (library->registry == LUA_REGISTRY_OLD) {
        failed = api->lua_cpcall(lua, library->enter, argument);
    } else {
        api->lua_pushcclosure(lua, library->enter, 0);
        api->lua_pushlightuserdata(lua, argument);
        failed = api->lua_pcallk(lua, 1, 0, 0, 0, NULL);
    }
    if (failed)
        api->lua_settop(lua, -2); /* the error */
    return !failed;
}

/* Bytes of its heap, where a finalizer may ask: 5.4 says -1. */
static uint64_t heap_bytes(const struct lua_library *library, struct lua *lua)
{
    int kib = library->api.lua_gc(lua, COUNT, 0), rest = library->api.lua_gc(lua, COUNT_REST, 0);
    return kib < 0 || rest < 0 ? 0 : (uint64_t)kib << 10 | (uint64_t)rest;
}

static void on_finalize(struct lua_library *library, struct lua *lua, struct sentinel *sentinel)
{
    if (!sentinel->is_let_go && sentinel->before)
        sentinel->before->is_closing = true;
    if (!sentinel->is_let_go || sentinel->is_closing || has_witness(library, lua))
        return;
    const struct collection_event event = {.source = library->runtime->name,
                                           .truth = library->runtime->truth,
                                           .after_bytes = heap_bytes(library, lua)};
    collection_mark(&event);
    protect(library, lua, &library->api);
}

/* Called by Lua: for a sentinel, or with one of two addresses by protect(). */
int lua_sentinel_enter(struct lua_library *library, struct lua *lua)
{
    void *argument = library->api.lua_touserdata(lua, 1);
    if (argument == library)
        start(library, lua);
    else if (argument == &library->api)
        replace(library, lua);
    else if (argument)
        on_finalize(library, lua, argument);
    return 0;
}

bool lua_sentinel_start(struct lua_library *library, struct lua *lua)
{
    return protect(library, lua, library);
}
