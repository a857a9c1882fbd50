#include "watch.h"

#include "box_search.h"
#include "standby.h"
#include "cli/ground/memory.h"
#include "cli/ground/message.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum {
    SEARCH_NS = 1000000, /* a short-lived program's snapshot is not to be missed ... */
    SEARCHES_QUICK = 2000,
    SEARCH_IDLE_NS = 50000000, /* ... of one that has none we do not look so often */
    SERVE_NS = 3000000
};

struct watch {
    pthread_t thread;
    int pid;
    bool ended; /* atomic */
    size_t stops;
    char *refusal; /* why they were not, the last time they were not; NULL: they always were */
    char *absence; /* why there was none to be asked for; NULL: there was, at last */
};

static bool has_ended(const struct watch *watch)
{
    return __atomic_load_n(&watch->ended, __ATOMIC_ACQUIRE);
}

static void nap(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static void note(char **text, const char *reason)
{
    free(*text);
    *text = reason ? memory_format("%s", reason) : NULL;
}

/* Opens the box that the process has now, if it has one. */
static bool open_box(struct watch *watch, struct standby *standby)
{
    struct process process;
    struct box_file box;
    if (!process_read(&process, watch->pid))
        return false;
    const char *reason = box_search_process(&box, &process);
    if (!reason) {
        reason = standby_open(standby, &box, &process);
        box_file_close(&box);
    }
    note(&watch->absence, reason);
    return !reason;
}

static void serve(struct watch *watch, struct standby *standby)
{
    while (!has_ended(watch) && standby_holds(standby)) {
        standby_serve(standby);
        nap(SERVE_NS);
    }
    watch->stops += standby->stops;
    if (standby->reason)
        note(&watch->refusal, standby->reason);
    standby_close(standby);
}

static void *watch_process(void *argument)
{
    struct watch *watch = argument;
    struct standby standby;
    for (int searches = 0; !has_ended(watch); searches++) {
        if (open_box(watch, &standby)) {
            serve(watch, &standby);
            searches = 0;
        }
        nap(searches < SEARCHES_QUICK ? SEARCH_NS : SEARCH_IDLE_NS);
    }
    return NULL;
}

struct watch *watch_start(int pid)
{
    struct watch *watch = memory_zeroed(1, sizeof(*watch));
    sigset_t all, before;
    watch->pid = pid;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* signals are for the thread that passes them on */
    int error = pthread_create(&watch->thread, NULL, watch_process, watch);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        return watch;
    free(watch);
    message_note(
        "no thread to stop the program's with: its ledger is as of a moment without allocations");
    return NULL;
}

void watch_end(struct watch *watch)
{
    if (!watch)
        return;
    __atomic_store_n(&watch->ended, true, __ATOMIC_RELEASE);
    pthread_join(watch->thread, NULL);
    const char *reason = watch->refusal ? watch->refusal : watch->absence;
    if (watch->refusal && watch->stops > 0)
        message_note("in some snapshot the other threads were not stopped: %s", watch->refusal);
    else if (watch->stops == 0)
        message_note("in no snapshot the other threads were stopped: %s",
                     reason ? reason : "it took none while it was watched");
    free(watch->refusal);
    free(watch->absence);
    free(watch);
}
