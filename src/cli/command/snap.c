#include "snap.h"

#include "arguments.h"
#include "cli/ground/memory.h"
#include "cli/ground/message.h"
#include "cli/ground/moment.h"
#include "cli/process/box_search.h"
#include "cli/process/standby.h"
#include "cli/process/written_file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ANSWER_WAIT_MS = 3000, /* a large heap's snapshot takes well below a second */
    ANSWER_POLL_MS = 2,
    LOOK_MS = 50 /* between two looks at whether the process lives */
};

/* A snapshot being asked for. */
struct snap {
    struct process process;
    struct box_file box;
    const char *wanted_path; /* NULL: by the usual names */
    struct output output;    /* with a wanted path: opened before the process is disturbed */
    uint64_t asked_ns;
    bool exact;             /* with its threads stopped, if that can be */
    struct standby standby; /* open while it is asked so */
};

static void wait_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = ANSWER_POLL_MS * 1000000L}, NULL);
}

/* Why it will not answer a signal now; NULL: it will. */
static const char *why_deaf(const struct snap *snap)
{
    const struct box_header *header = snap->box.view.header;
    if (!(header->flags & BOX_FLAG_LISTENS) || header->signal < 1)
        return "it does not listen for a signal";
    if (header->flags & BOX_FLAG_APP_HANDLER)
        return "the program uses the signal itself";
    if (snap->process.stopped)
        return "it is stopped";
    if (!process_takes_signal(&snap->process, header->signal))
        return "it blocks the signal";
    return NULL;
}

/* Also when another has its number by now. */
static bool has_ended(const struct process *process)
{
    struct process now;
    return !process_read(&now, process->pid) || now.start_ticks != process->start_ticks;
}

/* Sends the signal and waits until the process has written its snapshot. NULL, or why it has not. */
static const char *ask(struct snap *snap)
{
    const struct box_header *header = snap->box.view.header;
    uint32_t before = __atomic_load_n(&header->snapshots, __ATOMIC_ACQUIRE);
    uint64_t lost_before = __atomic_load_n(&header->lost.snapshots, __ATOMIC_ACQUIRE);
    snap->asked_ns = moment_now(CLOCK_REALTIME);
    if (kill(snap->process.pid, header->signal) != 0)
        return strerror(errno);
    for (int waited = 0; waited < ANSWER_WAIT_MS; waited += ANSWER_POLL_MS) {
        if (snap->standby.header)
            standby_serve(&snap->standby);
        if (__atomic_load_n(&header->snapshots, __ATOMIC_ACQUIRE) != before)
            return NULL;
        if (__atomic_load_n(&header->lost.snapshots, __ATOMIC_ACQUIRE) != lost_before)
            return "it could not write its snapshot";
        if (waited % LOOK_MS == 0 && has_ended(&snap->process))
            return "it has ended";
        wait_a_little();
    }
    return "it did not answer in 3 s";
}

/* The same while we stand by; says so when its threads were not stopped. */
static const char *ask_exactly(struct snap *snap)
{
    struct standby *standby = &snap->standby;
    const char *refusal = standby_open(standby, &snap->box, &snap->process);
    const char *reason = ask(snap);
    bool stood_still = standby->stops > 0 && !standby->reason; /* and in the last round, too */
    if (!refusal && !stood_still)
        refusal = standby->reason ? standby->reason : "it did not ask for it (ledger=off?)";
    if (refusal && !reason)
        message_note("%s (pid %d): the other threads were not stopped: %s", snap->box.program,
                     snap->process.pid, refusal);
    standby_close(standby);
    return reason;
}

/* Moves the bytes of `fd`, which are those of `from`, to where they are wanted. Another user's files
   are only copied: their names may lead anywhere by the time we would delete them. */
static bool move_written(struct snap *snap, int fd, const char *from)
{
    if (!written_file_copy(fd, &snap->output.sink)) {
        int error = errno;
        output_abandon(&snap->output);
        return message_error(from, "cannot be read: %s", strerror(error));
    }
    if (!output_commit(&snap->output, OUTPUT_REPLACE))
        return message_error(snap->wanted_path, "cannot be written: %s", strerror(errno));
    if (snap->process.user == geteuid())
        unlink(from);
    return true;
}

enum snap_result {
    SNAP_DONE,
    SNAP_FAILED, /* one line has been said */
    SNAP_REFUSED /* nothing is written: its black box may do */
};

/* Puts what the process wrote where it is wanted, and says so. */
static enum snap_result take_written(struct snap *snap, const char *written, const char **reason)
{
    int fd = snap->wanted_path ? written_file_open(written, snap->process.user) : -1;
    if (snap->wanted_path && fd < 0) {
        *reason = "it answered, but its file cannot be read";
        return SNAP_REFUSED;
    }
    bool done = !snap->wanted_path || move_written(snap, fd, written);
    if (fd >= 0)
        close(fd);
    if (done)
        message_note("%s: written by %s (pid %d), asked by signal %d (%s)",
                     snap->wanted_path ? snap->wanted_path
                                       : written_file_shown(written, snap->process.pid),
                     snap->box.program, snap->process.pid, snap->box.view.header->signal,
                     strsignal(snap->box.view.header->signal));
    return done ? SNAP_DONE : SNAP_FAILED;
}

/* *reason: why it was refused. */
static enum snap_result snap_by_signal(struct snap *snap, const char **reason)
{
    *reason = why_deaf(snap);
    if (!*reason)
        *reason = snap->exact ? ask_exactly(snap) : ask(snap);
    if (*reason)
        return SNAP_REFUSED;
    char *written = written_file_find(&snap->box, &snap->process, snap->asked_ns);
    enum snap_result result = SNAP_REFUSED;
    if (written)
        result = take_written(snap, written, reason);
    else
        *reason = "it answered, but its file cannot be found from here";
    free(written);
    return result;
}

static bool snap_by_box(struct snap *snap, const char *why)
{
    struct box_profile_facts facts = box_file_facts(&snap->box, &snap->process);
    char *path = NULL;
    if (!snap->wanted_path)
        path = box_file_save(&snap->box, &facts, NULL);
    else if (box_file_write(&snap->box, &facts, &snap->output, OUTPUT_REPLACE))
        path = memory_format("%s", snap->wanted_path);
    else
        message_error(snap->wanted_path, "cannot be written: %s", strerror(errno));
    if (!path)
        return false;
    message_note("%s: read from the black box of %s (pid %d)%s: %s", path, snap->box.program,
                 snap->process.pid, snap->exact ? ", which has no ledger" : "", why);
    free(path);
    return true;
}

/* Finds the process and its box. NULL, or why there is nothing to take. */
static const char *find_process(struct snap *snap, int pid)
{
    if (!process_read(&snap->process, pid))
        return "no such process";
    return box_search_process(&snap->box, &snap->process);
}

static bool snap_process(int pid, const char *wanted_path, bool exact)
{
    struct snap snap = {.wanted_path = wanted_path, .exact = exact};
    char what[32];
    snprintf(what, sizeof(what), "%d", pid);
    if (wanted_path && !output_open(&snap.output, wanted_path))
        return message_error(wanted_path, "cannot be written: %s", strerror(errno));
    const char *reason = find_process(&snap, pid);
    if (reason) {
        if (wanted_path)
            output_abandon(&snap.output);
        return message_error(what, "%s", reason);
    }
    enum snap_result result = snap_by_signal(&snap, &reason);
    bool done = result == SNAP_DONE || (result == SNAP_REFUSED && snap_by_box(&snap, reason));
    box_file_close(&snap.box);
    return done;
}

static int print_help(void)
{
    puts("usage: heapdiff snap PID [--exact] [-o FILE]\n"
         "Takes a snapshot of a running process that was started under heapdiff: by its signal "
         "when\n"
         "it listens to it, else from its black box.\n"
         "  -o, --output FILE   write FILE (default: the process's own pattern, or from the black\n"
         "                      box NAME.PID.N.prof here)\n"
         "      --exact         stop its other threads (ptrace) until its resident pages are "
         "listed:\n"
         "                      the ledger then adds up to RSS even if they are busy");
    return output_finish_stdout() ? 0 : 1;
}

int command_snap(int argc, char **argv)
{
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"exact", no_argument, NULL, 'e'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const char *wanted_path = NULL;
    bool exact = false;
    int option;
    arguments_begin();
    while ((option = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
        if (option == 'h')
            return print_help();
        if (option == 'e')
            exact = true;
        else if (option == 'o')
            wanted_path = optarg;
        else
            return arguments_refused("snap", option, options, argv);
    }
    int pid, status = arguments_pid("snap", argc, argv, &pid);
    if (status != 0)
        return status;
    return snap_process(pid, wanted_path, exact) ? 0 : 1;
}
