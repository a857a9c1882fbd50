/*
 * stop.h - a process whose threads stand still.
 *
 * What it is: every thread of a process, seized and interrupted by ptrace, until it is let go on. The
 *   process sees nothing of it but an EINTR in epoll_wait; its signals wait and are not lost.
 * Owns: the tracing thread. It traces nothing once it has ended, whatever ends it, SIGKILL too: the kernel
 *   lets go on what its tracer leaves behind. Ctrl-Z waits until the process has been released.
 * Context: cli, one at a time for one process. Not here: what is done meanwhile.
 */
#ifndef HEAPDIFF_CLI_STOP_H
#define HEAPDIFF_CLI_STOP_H

#include <stdbool.h>
#include <stddef.h>

struct stop {
    struct stop_tracer *tracer; /* opaque; NULL: nothing is stopped */
    size_t thread_count;        /* that stand still */
    size_t
        restless_count; /* that did not within SEIZURE_WAIT_MS: waiting for a disk, or in vfork */
};

/*
 * Stops all threads of `pid`, those too that are born meanwhile. NULL when they stand still, else why
 * they do not, as text that free() takes: nothing is stopped then.
 */
char *stop_all(struct stop *stop, int pid);

/* Lets one thread go on, the others stand: for who asks it to do something. False: it is none of them. */
bool stop_spare(struct stop *stop, int thread);

/* Lets all go on; each gets the signal that it was about to take. Legal when nothing is stopped. */
void stop_release(struct stop *stop);

#endif
