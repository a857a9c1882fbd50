/*
 * standby.h - stops a recorded process's other threads whenever it takes a snapshot.
 *
 * What it is: the command's side of struct box_standstill (format/box.h): says in the black box that it stands by,
 *   and stops all threads but the one that writes, when that asks for it, until it has looked.
 * Owns: a mapping of the box's header, written to. A process that dies meanwhile, or never comes to an end, is let go.
 * Context: cli, one at a time for one process.
 * Not here: stopping (stop.h), asking for the snapshot (snap.h), a process's whole life (watch.h).
 */
#ifndef HEAPDIFF_CLI_STANDBY_H
#define HEAPDIFF_CLI_STANDBY_H

#include "box_file.h"
#include "process.h"

#include <stddef.h>

struct standby {
    struct box_header *header; /* NULL: not open */
    int fd;
    struct process process;
    int writer;   /* the thread that goes on in a round */
    size_t stops; /* snapshots during which the others stood still */
    char *reason; /* why they did not in the last one; NULL: they did, or there was none */
};

/* NULL, or why nobody can stand by for the process whose box this is. */
const char *standby_open(struct standby *standby, const struct box_file *box,
                         const struct process *process);

/* To be called every few milliseconds: returns at once when nothing is asked. */
void standby_serve(struct standby *standby);

/* Whether the box is still the process's, as far as its file tells: another program has none or its own. */
bool standby_holds(const struct standby *standby);

void standby_close(struct standby *standby);

#endif
