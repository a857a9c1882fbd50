/*
 * sandbox.h - programs that put a seccomp filter on themselves.
 *
 * What it is: a filter may kill for a system call that the program never makes but heapdiff does. What a
 *   new filter would do with each of ours is tried before it is installed; those it does not let pass
 *   are never made again (permit.h).
 * Owns: whether the line about it has been said.
 * Context: hooks, before the filter is in force.
 * Not here: filters that were there when the program started: nobody can read those.
 */
#ifndef HEAPDIFF_PRELOAD_SANDBOX_H
#define HEAPDIFF_PRELOAD_SANDBOX_H

#include <stdint.h>

struct seccomp_program;

/* About to be asked of the kernel; NULL: strict mode, which leaves read, write and exit. Returns what
   was revoked before, for sandbox_failed(). */
uint32_t sandbox_enter(const struct seccomp_program *filter);

/* The kernel has refused the filter. */
void sandbox_failed(uint32_t before);

#endif
