/*
 * progress.h - a line on the terminal that says how far something slow has come.
 *
 * What it is: silent for the first second and when standard error is no terminal.
 * Owns: the terminal's last line until progress_end(). Context: cli. Not here: messages that stay.
 */
#ifndef HEAPDIFF_CLI_PROGRESS_H
#define HEAPDIFF_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    const char *what; /* "symbolizing" */
    size_t total;
    uint64_t start_ns, shown_ns; /* CLOCK_MONOTONIC; shown_ns 0: never shown */
    bool terminal;
};

void progress_begin(struct progress *progress, const char *what, size_t total);

/* `done` of the total; `detail` is shown behind it. */
void progress_at(struct progress *progress, size_t done, const char *detail);

void progress_end(struct progress *progress);

#endif
