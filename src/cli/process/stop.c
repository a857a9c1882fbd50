#include "stop.h"

#include "process.h"
#include "cli/ground/memory.h"
#include "cli/ground/moment.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
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

struct traced {
    int id;
    int signal; /* it was about to take; 0: none */
    bool stopped;
};

/* ptrace(2) answers the thread alone that seized: all calls are its own. */
struct stop_tracer {
    pthread_t thread;
    sem_t asked, done; /* pair with each other: what is asked for, and that it has been done */
    sigset_t mask;     /* the caller's, before */
    int pid;
    struct traced *threads;
    size_t count, capacity;
    int spare;    /* asked for: the thread to let go on; 0: all */
    bool spared;  /* it was there */
    char *reason; /* why the process could not be stopped; NULL: it stands */
    uint64_t deadline_ns;
};

static struct traced *find_thread(const struct stop_tracer *tracer, int id)
{
    for (size_t i = 0; i < tracer->count; i++)
        if (tracer->threads[i].id == id)
            return &tracer->threads[i];
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
static bool is_ours(struct stop_tracer *tracer, int id, int error)
{
    int other = tracer_of(tracer->pid, id);
    if (other == (int)syscall(SYS_gettid))
        return true;
    tracer->reason = refusal(error, other);
    return false;
}

/*
 * Seizes one more thread; those that it starts from then on are seized by the kernel, and stop at once.
 * False when that is not allowed; one that has ended is none.
 */
static bool seize(struct stop_tracer *tracer, int id)
{
    bool seized = ptrace(PTRACE_SEIZE, id, NULL, (void *)PTRACE_O_TRACECLONE) == 0;
    int error = errno;
    if (seized)
        ptrace(PTRACE_INTERRUPT, id, NULL, NULL);
    else if (error == ESRCH || thread_has_ended(tracer->pid, id))
        return true;
    else if (!is_ours(tracer, id, error))
        return false;
    tracer->threads =
        memory_grown(tracer->threads, tracer->count, &tracer->capacity, sizeof(*tracer->threads));
    tracer->threads[tracer->count++] = (struct traced){.id = id};
    return true;
}

/* Whether the kernel counts other threads than `seen`: a directory for each, and the two that each directory has. */
static bool hides(DIR *tasks, size_t seen)
{
    struct stat status;
    return fstat(dirfd(tasks), &status) == 0 && status.st_nlink > 2 && status.st_nlink - 2 != seen;
}

/* Another thread of the list, seen where it stays in there: one that ends now is no longer counted. */
static bool meet(struct stop_tracer *tracer, int id, size_t *seen)
{
    size_t before = tracer->count;
    bool known = find_thread(tracer, id);
    if (!known && !seize(tracer, id))
        return false;
    *seen += known || tracer->count > before || thread_state(tracer->pid, id) == 'Z';
    return true;
}

/*
 * Seizes the threads that are not yet. A list that ends where a thread has just ended hides the one which that has
 * started: then fewer are seen than there are. False when one may not be seized, or the process has gone.
 */
static bool seize_new(struct stop_tracer *tracer, size_t *added, bool *hidden)
{
    char path[64];
    size_t before = tracer->count;
    bool good = true;
    snprintf(path, sizeof(path), "/proc/%d/task", tracer->pid);
    DIR *tasks = opendir(path);
    if (!tasks) {
        tracer->reason = memory_format("%s", "it has ended");
        return false;
    }
    size_t next = 0, others = 0; /* the list is read in the order in which it was read before */
    for (struct dirent *task; good && (task = readdir(tasks));) {
        int id = process_parse_pid(task->d_name);
        if (next < before && tracer->threads[next].id == id)
            next++;
        else if (id != 0)
            good = meet(tracer, id, &others);
    }
    *added = tracer->count - before;
    *hidden = hides(tasks, next + others);
    closedir(tasks);
    return good;
}

/* Whether a thread has been waited for long enough, for what it waits for. */
static bool is_restless(const struct stop_tracer *tracer, int id)
{
    uint64_t now = moment_now(CLOCK_MONOTONIC);
    if (now < tracer->deadline_ns)
        return false;
    return now > tracer->deadline_ns + STOP_SCHEDULE_MS * 1000000ull ||
           thread_state(tracer->pid, id) == 'D';
}

/*
 * Waits until the thread stands. What it stopped for is looked at and left where it is: a signal in
 * there is delivered even if we are killed. False: it has ended; which of a leader nobody is told while its other
 * threads, though dead, are traced.
 */
static bool wait_for(struct stop_tracer *tracer, struct traced *thread)
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
        if (polls % LOOK_POLLS == 0 && thread_has_ended(tracer->pid, thread->id))
            return false;
        if (is_restless(tracer, thread->id))
            return true;
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
    }
}

/* Takes note of which threads stand; forgets those that have ended. */
static void wait_from(struct stop_tracer *tracer, size_t first)
{
    size_t kept = first;
    for (size_t i = first; i < tracer->count; i++)
        if (wait_for(tracer, &tracer->threads[i]))
            tracer->threads[kept++] = tracer->threads[i];
    tracer->count = kept;
}

/* A thread that begins another program takes the leader's place, running. */
static bool leader_runs(const struct stop_tracer *tracer)
{
    const struct traced *leader = find_thread(tracer, tracer->pid);
    char state = leader && leader->stopped ? thread_state(tracer->pid, tracer->pid) : 't';
    return state == 'R' || state == 'S';
}

static void seize_all(struct stop_tracer *tracer)
{
    tracer->deadline_ns = moment_now(CLOCK_MONOTONIC) + STOP_WAIT_MS * 1000000ull;
    for (int quiet = 0; quiet < QUIET_PASSES;) {
        size_t added = 0, before = tracer->count;
        bool hidden = false;
        if (!seize_new(tracer, &added, &hidden))
            return;
        wait_from(tracer, before);
        quiet = added > 0 || hidden ? 0 : quiet + 1;
        if (moment_now(CLOCK_MONOTONIC) > tracer->deadline_ns && quiet == 0) {
            tracer->reason = memory_format("%s", "it starts threads faster than they are stopped");
            return;
        }
    }
    if (tracer->count == 0)
        tracer->reason = memory_format("%s", "it has ended");
    else if (leader_runs(tracer))
        tracer->reason = memory_format("%s", "it has just begun another program");
}

static void let_go(struct traced *thread)
{
    if (thread->stopped)
        ptrace(PTRACE_DETACH, thread->id, NULL, (void *)(intptr_t)thread->signal);
    thread->stopped = false;
}

static bool let_one_go(struct stop_tracer *tracer, int id)
{
    struct traced *thread = find_thread(tracer, id);
    bool stands = thread && thread->stopped;
    if (stands)
        let_go(thread);
    return stands;
}

/* The tracing thread. Threads that do not stand cannot be detached: its end sets them free. */
static void *trace(void *argument)
{
    struct stop_tracer *tracer = argument;
    seize_all(tracer);
    sem_post(&tracer->done);
    while (!tracer->reason) {
        while (sem_wait(&tracer->asked) != 0)
            continue;
        if (tracer->spare == 0)
            break;
        tracer->spared = let_one_go(tracer, tracer->spare);
        sem_post(&tracer->done);
    }
    for (size_t i = 0; i < tracer->count; i++)
        let_go(&tracer->threads[i]);
    return NULL;
}

static void ask(struct stop_tracer *tracer, int spare)
{
    tracer->spare = spare;
    sem_post(&tracer->asked);
}

static void wait_until_done(struct stop_tracer *tracer)
{
    while (sem_wait(&tracer->done) != 0)
        continue;
}

/* The tracing thread has ended, or ends now. */
static void end(struct stop *stop)
{
    struct stop_tracer *tracer = stop->tracer;
    pthread_join(tracer->thread, NULL);
    pthread_sigmask(SIG_SETMASK, &tracer->mask, NULL);
    sem_destroy(&tracer->asked);
    sem_destroy(&tracer->done);
    free(tracer->threads);
    free(tracer);
    *stop = (struct stop){0};
}

/* Nobody else may stop us while the process waits for us; SIGSTOP cannot be put off. */
static void block_stops(sigset_t *before)
{
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTSTP);
    sigaddset(&stops, SIGTTIN);
    sigaddset(&stops, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &stops, before);
}

char *stop_all(struct stop *stop, int pid)
{
    struct stop_tracer *tracer = memory_zeroed(1, sizeof(*tracer));
    *stop = (struct stop){.tracer = tracer};
    tracer->pid = pid;
    sem_init(&tracer->asked, 0, 0);
    sem_init(&tracer->done, 0, 0);
    block_stops(&tracer->mask);
    int error = pthread_create(&tracer->thread, NULL, trace, tracer);
    if (error != 0) {
        pthread_sigmask(SIG_SETMASK, &tracer->mask, NULL);
        free(tracer);
        *stop = (struct stop){0};
        return memory_format("no thread to stop it: %s", strerror(error));
    }
    wait_until_done(tracer);
    char *reason = tracer->reason;
    if (reason) {
        end(stop);
        return reason;
    }
    for (size_t i = 0; i < tracer->count; i++)
        stop->thread_count += tracer->threads[i].stopped;
    stop->restless_count = tracer->count - stop->thread_count;
    return NULL;
}

bool stop_spare(struct stop *stop, int thread)
{
    if (!stop->tracer || thread <= 0)
        return false;
    ask(stop->tracer, thread);
    wait_until_done(stop->tracer);
    return stop->tracer->spared;
}

void stop_release(struct stop *stop)
{
    if (!stop->tracer)
        return;
    ask(stop->tracer, 0);
    end(stop);
}
