/*
 * hooks_runtime.h - hooks that are not exported: each file's names, for relink.h.
 *
 * What it is: functions that not every process has, by library. Owns: nothing. Context: constructor.
 * Not here: what they do (hooks_NAME.c).
 */
#ifndef HEAPDIFF_PRELOAD_HOOKS_RUNTIME_H
#define HEAPDIFF_PRELOAD_HOOKS_RUNTIME_H

#include "preload/runtime/relink.h"

extern const struct relink_group hooks_boehm, hooks_jemalloc, hooks_lua, hooks_ruby;

#endif
