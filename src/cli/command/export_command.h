/*
 * export_command.h - `heapdiff export`: a profile written for another tool.
 *
 * Owns: nothing. Context: cli. Not here: the formats (export.h).
 */
#ifndef HEAPDIFF_CLI_EXPORT_COMMAND_H
#define HEAPDIFF_CLI_EXPORT_COMMAND_H

/* argv[0] is "export". Returns the exit status: 0, 1 after one line on stderr, 2 for wrong usage. */
int command_export(int argc, char **argv);

#endif
