/*
 * standstill.h - all other threads stand still, if somebody outside stands by to stop them.
 *
 * What it is: the process's side of struct box_standstill (format/box.h): asks the command that stands by to
 *   stop all threads but the calling one. Without such a command nothing is done, and nobody waits.
 * Owns: the words in the box, but for the command's answers. Whatever is in them, no wait is for long.
 * Context: by the thread that has closed the gate, all signals blocked. From begin to end it may take no lock
 *   and wait for nobody: who has it may stand.
 * Not here: stopping (cli/process/standby.h).
 */
#ifndef HEAPDIFF_PRELOAD_STANDSTILL_H
#define HEAPDIFF_PRELOAD_STANDSTILL_H

#include <stdbool.h>

/* With the gate closed. True: the others stand, and standstill_end() must follow. */
bool standstill_begin(void);

/* What they stood still for is done. False: they no longer do. */
bool standstill_scanned(void);

/* The others go on; with the gate open. True after standstill_scanned(): they stood until then. */
bool standstill_end(void);

/* A forked child: the command stands by for its parent. */
void standstill_fork(void);

#endif
