/*
 * demangle.h - the names programmers wrote, from the names linkers use.
 *
 * What it is: C++ (Itanium ABI), Rust (legacy and v0) and D names made readable by libiberty; C++ and
 *   Rust without parameter lists. A name may be hostile: depth, length, time and output are bounded.
 * Owns: nothing. Context: cli. Not here: which name to demangle (symbol.h).
 */
#ifndef HEAPDIFF_CLI_DEMANGLE_H
#define HEAPDIFF_CLI_DEMANGLE_H

/* `name` demangled, or a copy of it when it is not mangled; malloc'd, the caller frees. */
char *demangle(const char *name);

#endif
