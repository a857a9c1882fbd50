/*
 * run.h - `heapdiff run`: a command with the preload in it, from its start to its profiles.
 *
 * What it is: starts the command, passes signals on, waits, and gathers what it left.
 * Owns: the child process. Context: cli.
 * Not here: options (run_options.h), files afterwards (harvest.h).
 */
#ifndef HEAPDIFF_CLI_RUN_H
#define HEAPDIFF_CLI_RUN_H

/*
 * argv[0] is "run". The command's own exit status, or 128 + the signal that killed it; 1 after one
 * line when it was not started, 2 for wrong usage.
 */
int command_run(int argc, char **argv);

#endif
