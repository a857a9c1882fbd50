#include "lua.h"

#include "lua_sentinel.h"
#include "symbol.h"

#include "preload/ground/spin.h"
#include "preload/ground/text.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum {
    LIBRARIES_MAX = 8,
    TEXT_BYTES_MAX = 8192 /* of LUA_INIT, ours and the program's */
};

#define LUA_NAME(result, name, parameters) #name,
static const char *const names[] = {LUA_FUNCTIONS(LUA_NAME) LUA_OTHERS(LUA_NAME)};

static const lua_fn entries[LIBRARIES_MAX]; /* below */

static struct {
    struct spin lock;
    struct lua_library libraries[LIBRARIES_MAX];
    struct lua_library *program; /* with Lua linked in: the chunk's */
    bool is_answered;            /* LUA_INIT; atomic */
    char text[TEXT_BYTES_MAX];
} state;

/* Libraries. */

/* "$LuaVersion: Lua 5.4.4  Copyright ..." or "$Lua: Lua 5.1.5 Copyright ..." */
static void put_version(struct lua_library *library, const struct module *module)
{
    struct text text = text_on(library->version, sizeof(library->version));
    const char *ident = (const char *)(uintptr_t)symbol_find(module, "lua_ident");
    const char *at = ident ? strstr(ident, " Lua ") : NULL;
    if (library->runtime == &runtime_luajit)
        text_put(&text, symbol_find(module, "luaJIT_profile_start") ? "2.1" : "2.0");
    else if (at)
        text_put_bytes(&text, at + 5, strcspn(at + 5, " "));
}

static bool is_version(const struct lua_library *library, char first, char last)
{
    const char *version = library->version;
    return strncmp(version, "5.", 2) == 0 && version[2] >= first && version[2] <= last &&
           (version[3] == '.' || version[3] == '\0');
}

static bool is_whole(const struct lua_library *library)
{
    const struct lua_api *api = &library->api;
    void *const *functions = (void *const *)(const void *)api;
    for (size_t i = 0; i < offsetof(struct lua_api, lua_newuserdata) / sizeof(*functions); i++)
        if (!functions[i])
            return false;
    return (api->lua_newuserdata || api->lua_newuserdatauv) &&
           (library->registry == LUA_REGISTRY ? api->lua_pcallk != NULL : api->lua_cpcall != NULL);
}

static void library_fill(struct lua_library *library, const struct module *module)
{
    void **functions = (void **)(void *)&library->api;
    static_assert(sizeof(struct lua_api) == sizeof(names), "each has its name");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        functions[i] = (void *)(uintptr_t)symbol_find(module, names[i]);
    bool is_jit = symbol_find(module, "luaJIT_setmode") != 0;
    library->runtime = is_jit ? &runtime_luajit : &runtime_lua;
    library->enter = entries[library - state.libraries];
    put_version(library, module);
    library->registry = is_jit || is_version(library, '1', '1') ? LUA_REGISTRY_OLD : LUA_REGISTRY;
    library->is_fit = (is_jit || is_version(library, '1', '4')) && is_whole(library);
}

/* NULL: too many, or not one that we know. */
static struct lua_library *library_of(const struct module *module)
{
    spin_lock(&state.lock);
    struct lua_library *library = state.libraries;
    struct lua_library *end = library + LIBRARIES_MAX;
    while (library < end && library->start != 0 && library->start != module->start)
        library++;
    bool is_new = library < end && library->start == 0;
    if (is_new) {
        library_fill(library, module);
        library->start = module->start;
    }
    spin_unlock(&state.lock);
    if (library == end || !runtime_is_on(library->runtime))
        return NULL;
    if (is_new && !library->is_fit)
        runtime_say(library->runtime, BOX_RUNTIME_UNKNOWN, library->version);
    return library->is_fit ? library : NULL;
}

/* States. */

static void begin(struct lua_library *library, struct lua *lua)
{
    if (lua_sentinel_start(library, lua))
        runtime_say(library->runtime, BOX_RUNTIME_WATCHED, library->version);
}

void lua_began(struct lua *lua, const void *code)
{
    struct module module;
    struct lua_library *library =
        module_find((uint64_t)(uintptr_t)code, &module) ? library_of(&module) : NULL;
    if (library)
        begin(library, lua);
}

/* A program that has Lua linked in. Nobody's calls can be hooked there, but it asks for LUA_INIT. */

int heapdiff_preload_lua(struct lua *lua)
{
    if (state.program)
        begin(state.program, lua);
    return 0;
}

/* Not what a script asks for: that text is not the program's. */
static bool is_programs_own(const struct module *program, const char *name, const void *caller)
{
    uint64_t text = (uint64_t)(uintptr_t)name, code = (uint64_t)(uintptr_t)caller;
    return text >= program->start && text < program->end && code >= program->start &&
           code < program->end;
}

/* A file, or a compiled chunk: nothing can stand before it. */
static bool is_plain(const char *value)
{
    return value[0] != '@' && value[0] != '\033';
}

/* False: there is no room, or our own file has a name that cannot be quoted. */
static bool put_chunk(const char *value)
{
    struct module own;
    struct text text = text_on(state.text, sizeof(state.text));
    if (!module_find((uint64_t)(uintptr_t)&heapdiff_preload_lua, &own) || strchr(own.name, ']'))
        return false;
    text_put(&text, "do local f=package.loadlib([[");
    text_put(&text, own.name);
    text_put(&text, "]],'heapdiff_preload_lua')if f then f()end end ");
    text_put(&text, value);
    return !text.cut;
}

const char *lua_init_text(const char *name, const char *value, const void *caller)
{
    struct module module;
    bool is_first = strcmp(name, "LUA_INIT") != 0; /* LUA_INIT_5_4: LUA_INIT is asked for next */
    if ((is_first && !value) || !module_find((uint64_t)(uintptr_t)caller, &module) ||
        module.name[0] != '\0' || !is_programs_own(&module, name, caller) ||
        !symbol_find(&module, "lua_newstate") ||
        __atomic_exchange_n(&state.is_answered, true, __ATOMIC_RELAXED))
        return NULL;
    struct lua_library *library = library_of(&module);
    if (!library)
        return NULL;
    library->is_generational = library->api.lua_newuserdatauv != NULL; /* as lua 5.4 does */
    state.program = library;
    if (value && !is_plain(value)) {
        runtime_say(library->runtime, BOX_RUNTIME_REFUSED, library->version);
        return NULL;
    }
    return put_chunk(value ? value : "") ? state.text : NULL;
}

#define LUA_LIBRARIES(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define LUA_ENTRY(n)                                         \
    static int enter_##n(struct lua *lua)                    \
    {                                                        \
        return lua_sentinel_enter(&state.libraries[n], lua); \
    }
LUA_LIBRARIES(LUA_ENTRY)
#define LUA_ENTRY_NAME(n) enter_##n,
static const lua_fn entries[LIBRARIES_MAX] = {LUA_LIBRARIES(LUA_ENTRY_NAME)};

static const char *const symbols[] = {"lua_ident", NULL};
static const char *const symbols_jit[] = {"luaJIT_setmode", NULL};

const struct runtime runtime_lua = {.name = "lua", .symbols = symbols, .truth = BOX_TRUTH_EXACT};
/* Its objects are in memory that it maps itself. */
const struct runtime runtime_luajit = {
    .name = "luajit", .symbols = symbols_jit, .truth = BOX_TRUTH_TOTALS};
