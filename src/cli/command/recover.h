/*
 * recover.h - `heapdiff recover`: a profile from a black box alone.
 *
 * What it is: for processes that were killed, crashed or never answered; the sweep of all boxes of
 *   ended processes; without an argument, the list of those that lie about.
 * Owns: nothing. Context: cli. Not here: running processes that can be asked (snap.h).
 */
#ifndef HEAPDIFF_CLI_RECOVER_H
#define HEAPDIFF_CLI_RECOVER_H

/* argv[0] is "recover". The exit status: 0, 1 after one line on stderr, 2 for wrong usage. */
int command_recover(int argc, char **argv);

#endif
