/*
 * helper.h - one thread of our own, for runtimes that cannot be asked from a hook.
 *
 * What it is: a thread that is made when a runtime needs one, does what there is to do, and ends when that is
 *   nothing more. It blocks all signals but libc's own, records nothing of what it calls, and is
 *   not there while the program forks or exits: who counts threads then finds those of the program.
 * Owns: the thread, its stack.
 * Context: as each function says. The thread itself may call the runtime and take locks.
 * Not here: what it does (runtime.h).
 */
#ifndef HEAPDIFF_PRELOAD_HELPER_H
#define HEAPDIFF_PRELOAD_HELPER_H

#include <stdbool.h>
#include <stdint.h>

/* There is nothing more to do, until helper_want(). */
#define HELPER_DONE UINT64_MAX

/* `work` is called again and again; it returns after how many nanoseconds it is to be called next. Start-up. */
void helper_init(uint64_t (*work)(void));

/* There is something to do: makes the thread, or wakes it up. In no lock of ours, outside of recording. */
void helper_want(void);

/*
 * Ends the thread where it is between two calls of `work`, waiting at most HELPER_REST_NS for it; helper_resume()
 * makes it again if it was there. Calls nest, from any threads.
 */
enum { HELPER_REST_NS = 100000000 };
void helper_rest(void);
void helper_resume(void);

/* As between helper_rest() and helper_resume(), in forked children too. */
void helper_forbid(bool forbidden);

/* In a forked child, which has no such thread. Whether its parent's had still something to do. */
void helper_fork(void);
bool helper_was_here(void);

/* Whether the kernel counts it among the process's threads. */
bool helper_is_here(void);

#endif
