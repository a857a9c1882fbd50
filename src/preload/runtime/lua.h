/*
 * lua.h - states of Lua 5.1 to 5.4 and of LuaJIT, and how their collections are learnt of.
 *
 * What it is: a state is given an object that nothing refers to. Its finalizer runs when a collection has found that
 *   out, tells of it, and gives the state the next one.
 * Owns: what it has found of each library that makes states.
 * Context: in the program's threads, where a state may be used: right after it was made, or in a chunk.
 * Not here: being called there (edges/hooks_lua.c).
 */
#ifndef HEAPDIFF_PRELOAD_LUA_H
#define HEAPDIFF_PRELOAD_LUA_H

#include <stdbool.h>
#include <stddef.h>

struct lua; /* a state */

/* It was made by the library that `code` belongs to, just now. */
void lua_began(struct lua *state, const void *code);

/*
 * A program that has Lua linked in, and exports it, is about to look for LUA_INIT, of which the environment has
 * `value` or NULL: what it is to find instead, a chunk that calls heapdiff_preload_lua() and goes on with
 * `value`. NULL: what there is. True once only.
 */
const char *lua_init_text(const char *name, const char *value, const void *caller);

/* A function of Lua's, for that chunk. */
__attribute__((visibility("default"))) int heapdiff_preload_lua(struct lua *state);

#endif
