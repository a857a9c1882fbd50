/*
 * message.h - what the command says on stderr, one line each.
 *
 * Owns: nothing. Context: cli. Not here: reports (they go to stdout).
 */
#ifndef HEAPDIFF_CLI_MESSAGE_H
#define HEAPDIFF_CLI_MESSAGE_H

#include <stdbool.h>

/* "heapdiff: WHAT: WHY"; returns false, for `return message_error(...)`. What
   steers a terminal is shown as '?': names come from files and other people's processes. */
bool message_error(const char *what, const char *why_format, ...)
    __attribute__((format(printf, 2, 3)));

/* "heapdiff: TEXT" */
void message_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "heapdiff: TEXT (try "heapdiff COMMAND --help")", without COMMAND when it is NULL; returns 2, the
   exit status of wrong usage. */
int message_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
