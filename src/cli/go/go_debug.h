/*
 * go_debug.h - whether a program's debug information agrees with the table of layouts.
 *
 * What it is: where DWARF is present, each offset of go_layout.h is looked up in it by the names of structs and members: a
 *   runtime that somebody has changed is refused, not misread.
 * Owns: nothing. Context: cli; the debug information may be damaged. Not here: the table (go_layout.h).
 */
#ifndef HEAPDIFF_CLI_GO_DEBUG_H
#define HEAPDIFF_CLI_GO_DEBUG_H

#include "go_binary.h"

/* NULL: it agrees, or there is none; else which member is elsewhere, as text that free() takes. */
char *go_debug_check(const struct go_binary *binary);

#endif
