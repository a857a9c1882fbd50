#include "seizure.h"

#include "process.h"
#include "cli/ground/memory.h"
#include "cli/ground/moment.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    /* A thread that ends meanwhile can hide another from one pass over the list. */
    QUIET_PASSES = 2,
    POLL_NS = 50000,
    LOOK_POLLS = 100 /* between two looks at whether a thread lives */
};

struct seized {
    int id;
    int signal; /* it was about to take; 0: none */
    bool stopped;
};

static struct seized *find_thread(const struct seizure *seizure, int id)
{
    for (size_t i = 0; i < seizure->count; i++)
        if (seizure->threads[i].id == id)
            return &seizure->threads[i];
    return NULL;
}

/* The letter of a thread's state, as /proc has it, or 0 when there is no such thread. */
static char thread_state(int pid, int id)
{
    char path[64], stat[256], state = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, id);
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(stat, 1, sizeof(stat) - 1, file) : 0;
    stat[length] = '\0';
    const char *name_end = strrchr(stat, ')'); /* the name may hold anything */
    if (name_end && name_end[1] == ' ')
        state = name_end[2];
    if (file)
        fclose(file);
    return state;
}

static bool thread_has_ended(int pid, int id)
{
    char state = thread_state(pid, id);
    return state == 0 || state == 'Z' || state == 'X';
}

/* Which thread traces the thread already, or 0. */
static int tracer_of(int pid, int id)
{
    char path[64], line[256];
    int tracer = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, id);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "TracerPid: %d", &tracer) == 1)
            break;
    if (file)
        fclose(file);
    return tracer;
}

static char *refusal(int error, int other)
{
    if (error == EPERM && other != 0)
        return memory_format("it cannot be stopped: process %d traces it already", other);
    if (error == EPERM)
        return memory_format(
            "it may not be stopped: that needs the right to trace it (its own user "
            "and kernel.yama.ptrace_scope 0, or CAP_SYS_PTRACE)");
    return memory_format("it cannot be stopped: %s", strerror(error));
}

/* Whether what could not be seized has been, for its parent was. */
static bool is_ours(struct seizure *seizure, int id, int error)
{
    int other = tracer_of(seizure->pid, id);
    if (other == (int)syscall(SYS_gettid))
        return true;
    seizure->reason = refusal(error, other);
    return false;
}

/*
 * Seizes one more thread; those that it starts from then on are seized by the kernel, and stop at once.
 * False when that is not allowed; one that has ended is none.
 */
static bool seize(struct seizure *seizure, int id)
{
    bool seized = ptrace(PTRACE_SEIZE, id, NULL, (void *)PTRACE_O_TRACECLONE) == 0;
    int error = errno;
    if (seized)
        ptrace(PTRACE_INTERRUPT, id, NULL, NULL);
    else if (error == ESRCH || thread_has_ended(seizure->pid, id))
        return true;
    else if (!is_ours(seizure, id, error))
        return false;
    seizure->threads = memory_grown(seizure->threads, seizure->count, &seizure->capacity,
                                    sizeof(*seizure->threads));
    seizure->threads[seizure->count++] = (struct seized){.id = id};
    return true;
}

/* Whether the kernel counts other threads than `seen`: a directory for each, and the two that each directory has. */
static bool hides(DIR *tasks, size_t seen)
{
    struct stat status;
    return fstat(dirfd(tasks), &status) == 0 && status.st_nlink > 2 && status.st_nlink - 2 != seen;
}

/* Another thread of the list, seen where it stays in there: one that ends now is no longer counted. */
static bool meet(struct seizure *seizure, int id, size_t *seen)
{
    size_t before = seizure->count;
    bool known = find_thread(seizure, id);
    if (!known && !seize(seizure, id))
        return false;
    *seen += known || seizure->count > before || thread_state(seizure->pid, id) == 'Z';
    return true;
}

/*
 * Seizes the threads that are not yet. A list that ends where a thread has just ended hides the one which that has
 * started: then fewer are seen than there are. False when one may not be seized, or the process has gone.
 */
static bool seize_new(struct seizure *seizure, size_t *added, bool *hidden)
{
    char path[64];
    size_t before = seizure->count;
    bool good = true;
    snprintf(path, sizeof(path), "/proc/%d/task", seizure->pid);
    DIR *tasks = opendir(path);
    if (!tasks) {
        seizure->reason = memory_format("%s", "it has ended");
        return false;
    }
    size_t next = 0, others = 0; /* the list is read in the order in which it was read before */
    for (struct dirent *task; good && (task = readdir(tasks));) {
        int id = process_parse_pid(task->d_name);
        if (next < before && seizure->threads[next].id == id)
            next++;
        else if (id != 0)
            good = meet(seizure, id, &others);
    }
    *added = seizure->count - before;
    *hidden = hides(tasks, next + others);
    closedir(tasks);
    return good;
}

/* Whether a thread has been waited for long enough, for what it waits for. */
static bool is_restless(const struct seizure *seizure, int id)
{
    uint64_t now = moment_now(CLOCK_MONOTONIC);
    if (now < seizure->deadline_ns)
        return false;
    return now > seizure->deadline_ns + SEIZURE_SCHEDULE_MS * 1000000ull ||
           thread_state(seizure->pid, id) == 'D';
}

/*
 * Waits until the thread stands. What it stopped for is looked at and left where it is: a signal in
 * there is delivered even if we are killed. False: it has ended; which of a leader nobody is told while its other
 * threads, though dead, are traced.
 */
static bool wait_for(struct seizure *seizure, struct seized *thread)
{
    enum { LOOK = WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL | __WNOTHREAD };
    for (unsigned polls = 1;; polls++) {
        siginfo_t found = {0};
        if (waitid(P_PID, (id_t)thread->id, &found, LOOK) != 0)
            return errno == EINTR;
        if (found.si_pid != 0 && found.si_code != CLD_TRAPPED && found.si_code != CLD_STOPPED)
            return false;
        if (found.si_pid != 0) {
            thread->stopped = true;
            thread->signal = found.si_status >> 8 == 0 ? found.si_status : 0;
            return true;
        }
        if (polls % LOOK_POLLS == 0 && thread_has_ended(seizure->pid, thread->id))
            return false;
        if (is_restless(seizure, thread->id))
            return true;
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
    }
}

/* Takes note of which threads stand; forgets those that have ended. */
static void wait_from(struct seizure *seizure, size_t first)
{
    size_t kept = first;
    for (size_t i = first; i < seizure->count; i++)
        if (wait_for(seizure, &seizure->threads[i]))
            seizure->threads[kept++] = seizure->threads[i];
    seizure->count = kept;
}

/* A thread that begins another program takes the leader's place, running. */
static bool leader_runs(const struct seizure *seizure)
{
    const struct seized *leader = find_thread(seizure, seizure->pid);
    char state = leader && leader->stopped ? thread_state(seizure->pid, seizure->pid) : 't';
    return state == 'R' || state == 'S';
}

void seizure_take(struct seizure *seizure)
{
    seizure->deadline_ns = moment_now(CLOCK_MONOTONIC) + SEIZURE_WAIT_MS * 1000000ull;
    for (int quiet = 0; quiet < QUIET_PASSES;) {
        size_t added = 0, before = seizure->count;
        bool hidden = false;
        if (!seize_new(seizure, &added, &hidden))
            return;
        wait_from(seizure, before);
        quiet = added > 0 || hidden ? 0 : quiet + 1;
        if (moment_now(CLOCK_MONOTONIC) > seizure->deadline_ns && quiet == 0) {
            seizure->reason = memory_format("%s", "it starts threads faster than they are stopped");
            return;
        }
    }
    if (seizure->count == 0)
        seizure->reason = memory_format("%s", "it has ended");
    else if (leader_runs(seizure))
        seizure->reason = memory_format("%s", "it has just begun another program");
}

static void let_go(struct seized *thread)
{
    if (thread->stopped)
        ptrace(PTRACE_DETACH, thread->id, NULL, (void *)(intptr_t)thread->signal);
    thread->stopped = false;
}

size_t seizure_standing(const struct seizure *seizure)
{
    size_t count = 0;
    for (size_t i = 0; i < seizure->count; i++)
        count += seizure->threads[i].stopped;
    return count;
}

bool seizure_spare(struct seizure *seizure, int id)
{
    struct seized *thread = find_thread(seizure, id);
    bool stands = thread && thread->stopped;
    if (stands)
        let_go(thread);
    return stands;
}

void seizure_end(struct seizure *seizure)
{
    for (size_t i = 0; i < seizure->count; i++)
        let_go(&seizure->threads[i]);
    free(seizure->threads);
    seizure->threads = NULL;
    seizure->count = seizure->capacity = 0;
}
