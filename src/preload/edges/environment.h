/*
 * environment.h - the program's environment, read and cut without libc.
 *
 * Owns: nothing. Context: start-up, before the program's own code runs.
 * Not here: what the variables mean (options.h).
 */
#ifndef HEAPDIFF_PRELOAD_ENVIRONMENT_H
#define HEAPDIFF_PRELOAD_ENVIRONMENT_H

#include <stdbool.h>

/* False while libc has not been given the environment yet. */
bool environment_ready(void);

/* The value of `name`, or NULL. */
const char *environment_get(const char *name);

/* Takes HEAPDIFF out, and this library out of LD_PRELOAD: children are not recorded. */
void environment_hide(void);

/*
 * Replaces the process by itself with `library` added to LD_PRELOAD. Comes back only when that
 * cannot be done.
 */
void environment_restart_with(const char *library);

#endif
