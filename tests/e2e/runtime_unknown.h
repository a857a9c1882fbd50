/*
 * runtime_unknown.h - runtimes as they may be one day: libraries with the names of one, in a version that nobody knows yet.
 *
 * What it is: each library says a version and has unknown_use(), in which a program would do something with it. Whatever a
 *   runtime must not be asked while its version is unknown ends the process.
 */
#ifndef RUNTIME_UNKNOWN_H
#define RUNTIME_UNKNOWN_H

#include <stdlib.h>

#pragma GCC visibility push(default)

/* What nobody may call. */
#define FORBIDDEN(name) \
    void name(void);    \
    void name(void)     \
    {                   \
        abort();        \
    }

void unknown_use(void);

#endif
