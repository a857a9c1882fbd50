/*
 * rss_look.h - one look at the memory of any process.
 *
 * What it is: what /proc says of it at one moment, as a ledger. With `exact` the process stands still
 *   meanwhile; else nothing is done to it, and what changes between two files shows as drift.
 * Owns: all it points to, until rss_look_free(). Context: cli. Not here: printing (render_rss.h).
 */
#ifndef HEAPDIFF_CLI_RSS_LOOK_H
#define HEAPDIFF_CLI_RSS_LOOK_H

#include "process.h"
#include "vma_label.h"
#include "cli/profile/ledger.h"

struct rss_look {
    struct process process;
    char name[THREAD_NAME_BYTES];
    struct process_dir dir,
        memory; /* the latter: of a thread that is alive, where the first has ended */
    struct vma_scene scene;
    struct ledger_book book;
    int64_t time_ns, start_ns; /* of the look, of the process; CLOCK_REALTIME */
    int64_t stopped_ns;        /* how long the process stood still; 0: it did not */
    size_t restless_count;     /* threads that could not be stopped in time */
};

/* False, after one line on stderr, when there is nothing to see. */
bool rss_look_take(struct rss_look *look, int pid, bool exact);
void rss_look_free(struct rss_look *look);

#endif
