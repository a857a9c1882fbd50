/*
 * summary.h - what a person wants to know of a profile before any site.
 *
 * What it is: live bytes by kind, RSS and what lies between, of one profile or of both sides of a
 *   diff; what was lost while recording.
 * Owns: nothing; texts point into the profile. Context: cli. Not here: printing.
 */
#ifndef HEAPDIFF_CLI_SUMMARY_H
#define HEAPDIFF_CLI_SUMMARY_H

#include "cli/profile/profile.h"

struct summary {
    const char *program;                          /* "" when unknown */
    const char *command_line, *host;              /* NULL when unknown */
    const char *allocator, *source;               /* NULL when unknown */
    int64_t pid, parent_pid, threads;             /* 0: unknown */
    int64_t time_ns, start_time_ns;               /* 0: unknown */
    bool has_live, has_kinds;                     /* inuse_space; mem_kind labels */
    int64_t live_bytes, live_objects;             /* objects -1: unknown */
    int64_t malloc_bytes, mmap_bytes;             /* with has_kinds */
    int64_t period_bytes;                         /* between samples; 0: everything was recorded */
    const char *truth;                            /* "exact", "sampled", "totals"; NULL: unknown */
    double live_variance;                         /* of live_bytes, when sampled */
    int64_t rss_bytes, rss_peak_bytes, own_bytes; /* 0: unknown */
    int64_t unwind_checked;                       /* stacks compared with libunwind's; 0: none */
    int64_t collection_time_ns;                   /* 0: none */
};

struct summary summary_of(const struct profile *profile);

/* What was lost: the fact's key, what it counts in a person's words, and the counts. */
struct summary_loss {
    const char *key, *text;
    int64_t base, count;
};
enum { SUMMARY_LOSSES_MAX = 10 };

/* Fills in what is not zero on both sides (`base` NULL: there is one side); returns how many. */
size_t summary_losses(const struct profile *base, const struct profile *profile,
                      struct summary_loss losses[SUMMARY_LOSSES_MAX]);

#endif
