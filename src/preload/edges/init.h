/*
 * init.h - start-up.
 *
 * What it is: two steps. The first event of the process (some library's constructor allocates long
 *   before ours runs) reads the options and lays out the tables; our constructor adds what needs a
 *   working libc: libunwind, the signal, the fork handlers.
 * Owns: what has been done. Context: the first hooked call; the constructor and destructor.
 * Not here: the parts that are started.
 */
#ifndef HEAPDIFF_PRELOAD_INIT_H
#define HEAPDIFF_PRELOAD_INIT_H

#define INIT_SANITIZED "this program is built with a sanitizer: running unprofiled"

/* Starts recording if that has not been tried yet and the environment can be read. */
void init_first_event(void);

#endif
