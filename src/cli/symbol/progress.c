#include "progress.h"

#include "cli/ground/moment.h"
#include "cli/ground/name_text.h"

#include <stdio.h>
#include <unistd.h>

enum { DETAIL_COLUMNS_MAX = 40 };

static const uint64_t QUIET_NS = 1000000000, EVERY_NS = 100000000;

void progress_begin(struct progress *progress, const char *what, size_t total)
{
    *progress = (struct progress){.what = what,
                                  .total = total,
                                  .start_ns = moment_now(CLOCK_MONOTONIC),
                                  .terminal = isatty(STDERR_FILENO)};
}

void progress_at(struct progress *progress, size_t done, const char *detail)
{
    if (!progress->terminal)
        return;
    uint64_t now = moment_now(CLOCK_MONOTONIC);
    if (now - progress->start_ns < QUIET_NS || now - progress->shown_ns < EVERY_NS)
        return;
    progress->shown_ns = now;
    fprintf(stderr, "\r\033[Kheapdiff: %s %zu of %zu %s", progress->what, done, progress->total,
            name_plain_fitted(detail, DETAIL_COLUMNS_MAX).text);
    fflush(stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->shown_ns == 0)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
}
