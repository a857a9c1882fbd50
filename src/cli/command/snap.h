/*
 * snap.h - `heapdiff snap`: a snapshot of a running process, from outside.
 *
 * What it is: asks the process by its signal when it listens, else reads its black box.
 * Owns: nothing. Context: cli. Not here: processes that have ended (recover.h).
 */
#ifndef HEAPDIFF_CLI_SNAP_H
#define HEAPDIFF_CLI_SNAP_H

/* argv[0] is "snap". The exit status: 0, 1 after one line on stderr, 2 for wrong usage. */
int command_snap(int argc, char **argv);

#endif
