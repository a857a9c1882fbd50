/*
 * relink.h - hooks of functions that not every process has.
 *
 * What it is: a name that we exported would be there for all who ask: by a weak reference, by dlsym(). So nothing of a
 *   runtime's is exported. Where the loader has bound an object to a library's function, the address that it has put
 *   into the object's table is replaced by our hook's. Who has no such function still has none.
 * Owns: which objects were looked at.
 * Context: relink_init(): constructor. The others: in the program's threads, outside of recording; no lock is waited for,
 *   the loader's least of all.
 * Not here: the hooks (edges/hooks_*.c), which know the real functions.
 */
#ifndef HEAPDIFF_PRELOAD_RELINK_H
#define HEAPDIFF_PRELOAD_RELINK_H

#include "preload/ground/module.h"

#include <stdbool.h>
#include <stdint.h>

struct relink_name {
    const char *name;
    void *hook;
    uintptr_t *real; /* where the first real function's address is kept */
};

/* Which real functions a hook stands for. */
enum relink_scope {
    RELINK_KNOWN, /* those whose addresses are known already */
    RELINK_FIRST, /* those of the first library that is met with them */
    RELINK_ANY    /* those of all: the hook knows whom its caller means */
};

/* Functions of one library. */
struct relink_group {
    const struct relink_name
        *names;        /* until one without a name; a library with the first has all */
    bool (*may)(void); /* NULL, or whether they are hooked in this process */
    enum relink_scope scope;
};

/* `groups`, until NULL, stay where they are. Looks at all objects there are. */
void relink_init(const struct relink_group *const *groups);

/* An object that has come later and runs already. */
void relink_late(const struct module *module);

/* What dlopen() has given, before anybody is given an address in it. Costs a system call, or two. */
void relink_handle(const void *handle);

/* Objects have gone: what is known of handles may be another one's from now on. */
void relink_forget(void);

/* What dlsym() is to say where the real one has found `address`: ours, where it is known that it stands for that one. */
void *relink_answer(const char *name, void *address);

/* A forked child. */
void relink_fork(void);

#endif
