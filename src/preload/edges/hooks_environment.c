/* What runtimes ask the environment for: Lua, where it is linked in, what to begin with; node's threads, on their way to
   a script. */
#include "hook.h"

#include "preload/runtime/lua.h"
#include "preload/runtime/node.h"

#include <string.h>
#include <unistd.h>

char *getenv(const char *name);

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
    node_environment(name);
    char *value = real.getenv ? real.getenv(name) : look_up(name);
    if (strncmp(name, "LUA_INIT", strlen("LUA_INIT")) != 0)
        return value;
    const char *ours = lua_init_text(name, value, __builtin_return_address(0));
    return ours ? (char *)(uintptr_t)ours : value;
}
