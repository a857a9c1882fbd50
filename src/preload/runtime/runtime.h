/*
 * runtime.h - garbage-collected runtimes in this process: who they are, and how their collections are learnt of.
 *
 * What it is: each runtime is one struct in a file of its own, listed in runtime_table.c: the names by which
 *   it is known, and a function that has it tell us. Objects are looked at when the process starts, and
 *   when a stack has led through one that was not known yet: no hook of dlopen() is needed.
 * Owns: which runtimes were met, and header.runtimes.
 * Context: as each function says; arm() and poll() may do what they want, but in a thread that holds nothing.
 * Not here: what a collection leads to (collection.h).
 */
#ifndef HEAPDIFF_PRELOAD_RUNTIME_H
#define HEAPDIFF_PRELOAD_RUNTIME_H

#include "preload/ground/module.h"

#include "format/box.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    RUNTIME_SYMBOLS_MAX = 64,
    RUNTIME_WAIT_MS = 2,      /* between two tries to arm, at first; then ever longer ... */
    RUNTIME_WAIT_MS_MAX = 200 /* ... up to this */
};

/* A runtime as it was met in one object. */
struct runtime_found {
    struct module module;
    bool is_late;   /* loaded by the program while it ran */
    bool is_static; /* only the file's own symbol table has it: nobody's calls can be hooked */
    uint64_t addresses[RUNTIME_SYMBOLS_MAX]; /* of struct runtime's symbols; 0: not there */
    enum box_truth truth;                    /* the runtime's, unless arm() knows less */
    char version[BOX_RUNTIME_VERSION_BYTES]; /* arm() says; it may be called again */
};

struct runtime {
    const char *name; /* in runtimes=, the history and reports */
    const char *const
        *symbols;         /* until NULL; an object that defines the first one is the runtime */
    enum box_truth truth; /* of what is known of its objects */
    bool by_helper;       /* arm() is for the helper thread alone, not for the constructor */
    /* NULL, or what its being there asks for, also when it is turned off: what keeps the program as it is without
       us. In the constructor; or, of one that is late, wherever it was noticed: nothing that waits. */
    void (*meet)(struct runtime_found *found);
    /*
     * Has the runtime tell us of collections. WATCHED, UNKNOWN and REFUSED are final. WAITING: it is not up yet, arm()
     * is called again, by the helper thread. In the constructor, before the program has run; or in
     * the helper thread, where calls into the runtime take its locks, and it may come up or end at any moment.
     */
    enum box_runtime_state (*arm)(struct runtime_found *found);
    /*
     * Instead of arm(), where no thread of ours may be: the same, in the program's own threads at those events that make
     * a site, also when it is WATCHED; see runtime_ask(). It may be a vfork child that calls.
     * With neither of the two, hooks say what becomes of it.
     */
    enum box_runtime_state (*ask)(struct runtime_found *found);
    /* NULL, or what the helper thread calls every poll_ms, from WATCHED on, until it returns false. */
    bool (*poll)(const struct runtime_found *found);
    uint32_t poll_ms;
};

extern const struct runtime runtime_boehm;
extern const struct runtime runtime_go;
extern const struct runtime runtime_lua, runtime_luajit, runtime_python, runtime_ruby;
extern const struct runtime runtime_jvm, runtime_mono, runtime_node;

/* All there are, until NULL. */
extern const struct runtime *const runtime_table[];

/* Looks at what is loaded. Constructor only, when all else is up. */
void runtime_init(void);

/* Looks at what stacks have led through since; outside of recording, whatever else the thread holds. */
void runtime_look(void);

/* Has runtimes' ask() be called: a site is new. Outside of recording, in the middle of an allocation. */
void runtime_ask(void);

/* Whether runtimes= lets it be watched. For hooks, from the first event on. */
bool runtime_is_on(const struct runtime *runtime);

/* For hooks that learn by themselves: as if arm() had returned `state`. */
void runtime_say(const struct runtime *runtime, enum box_runtime_state state, const char *version);

/* What is known of its objects, where that turns out when it is up; runtime_say() follows. */
void runtime_say_truth(const struct runtime *runtime, enum box_truth truth);

/* The address of one of its symbols by name, in an array that goes with `symbols`; 0: not there. */
uint64_t runtime_address(const struct runtime *runtime, const struct runtime_found *found,
                         const char *name);

/* Around fork() and before exit: the helper thread is not there. */
void runtime_rest(void);
void runtime_finish(void);
void runtime_resume(void);

/* It is gone for good: the program filters its system calls. Or may come again: no filter was installed. */
void runtime_forbid(bool forbidden);

/* A forked child, whose parent has called runtime_rest(). */
void runtime_fork(void);

#endif
