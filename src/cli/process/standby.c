#include "standby.h"

#include "stop.h"
#include "cli/ground/memory.h"
#include "cli/ground/moment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    POLL_NS = 200000,
    LOOK_POLLS = 100,     /* between two looks at whether the process lives */
    SCAN_WAIT_MS = 10000, /* a scan takes some 30 ms for a GiB */
    THREAD_LINE_BYTES = 256,
    OTHER_WAIT_MS = BOX_STANDSTILL_LEASE_MS + 100
};

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
}

static uint32_t word_now(const struct standby *standby)
{
    /* pairs: change(), standstill_begin() in preload/views/standstill.c */
    return __atomic_load_n(&standby->header->standstill.word, __ATOMIC_ACQUIRE);
}

/* Changes the state of `round`, unless the process has given it up. */
static bool change(struct standby *standby, uint32_t round, enum box_standstill_state from,
                   enum box_standstill_state to)
{
    uint32_t word = round + from;
    /* pairs: word_now() in preload/views/standstill.c */
    return __atomic_compare_exchange_n(&standby->header->standstill.word, &word, round + to, false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static uint64_t lease_end_ns(const struct standby *standby)
{
    return __atomic_load_n(&standby->header->standstill.until_ns, __ATOMIC_RELAXED);
}

static void renew(struct standby *standby)
{
    uint64_t until_ns = moment_now(CLOCK_REALTIME) + BOX_STANDSTILL_LEASE_MS * 1000000ull;
    __atomic_store_n(&standby->header->standstill.until_ns, until_ns, __ATOMIC_RELAXED);
}

/* Whether another command stands by; one that has been killed only seems to, for a while. */
static bool another_stands_by(const struct standby *standby)
{
    uint64_t end_ns = moment_now(CLOCK_MONOTONIC) + OTHER_WAIT_MS * 1000000ull;
    while (lease_end_ns(standby) > moment_now(CLOCK_REALTIME)) {
        if (moment_now(CLOCK_MONOTONIC) > end_ns)
            return true;
        nap();
    }
    return false;
}

/* Maps the header of the box that `box` is, and no other file: it is written to. */
static const char *map_header(struct standby *standby, const struct box_file *box)
{
    struct stat status;
    standby->fd = open(box->path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (standby->fd < 0)
        return errno == EACCES ? "its black box may not be written to" : strerror(errno);
    if (fstat(standby->fd, &status) != 0 || status.st_dev != box->device ||
        status.st_ino != box->inode)
        return "its black box has been replaced by another file";
    if (status.st_uid != standby->process.user)
        return "its black box belongs to another user than it";
    void *bytes = mmap(NULL, BOX_HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, standby->fd, 0);
    if (bytes == MAP_FAILED)
        return strerror(errno);
    standby->header = bytes;
    return NULL;
}

static void unmap_header(struct standby *standby)
{
    if (standby->header)
        munmap(standby->header, BOX_HEADER_BYTES);
    if (standby->fd >= 0)
        close(standby->fd);
    standby->header = NULL;
    standby->fd = -1;
}

const char *standby_open(struct standby *standby, const struct box_file *box,
                         const struct process *process)
{
    *standby = (struct standby){.process = *process, .fd = -1};
    const char *reason = map_header(standby, box);
    if (!reason && another_stands_by(standby))
        reason = "another command does so for each of its snapshots";
    if (reason)
        unmap_header(standby);
    else
        renew(standby);
    return reason;
}

bool standby_holds(const struct standby *standby)
{
    struct stat status;
    return fstat(standby->fd, &status) == 0 && status.st_nlink > 0;
}

void standby_close(struct standby *standby)
{
    if (standby->header)
        __atomic_store_n(&standby->header->standstill.until_ns, 0, __ATOMIC_RELAXED);
    unmap_header(standby);
    free(standby->reason);
    *standby = (struct standby){.fd = -1};
}

/* What /proc says of a thread by `name`, in `line`: "" where there is no such thread. */
static const char *thread_line(int pid, int id, const char *name, char line[THREAD_LINE_BYTES])
{
    char path[64];
    size_t length = strlen(name);
    snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, id);
    FILE *file = fopen(path, "re");
    bool found = false;
    while (file && !found && fgets(line, THREAD_LINE_BYTES, file))
        found = strncmp(line, name, length) == 0;
    if (file)
        fclose(file);
    return found ? line + length : "";
}

/* What the thread calls itself in the innermost pid namespace it is in; 0: it has ended. */
static int inner_id(int pid, int id)
{
    char line[THREAD_LINE_BYTES];
    int inner = 0;
    const char *last = strrchr(thread_line(pid, id, "NSpid:", line), '\t');
    return last && sscanf(last, "%d", &inner) == 1 ? inner : 0;
}

/* The thread that calls itself `inner`, as seen from here; 0: none. */
static int outer_id(const struct process *process, int inner)
{
    char path[64];
    int found = 0;
    if (process->pid == process->inner_pid)
        return inner;
    snprintf(path, sizeof(path), "/proc/%d/task", process->pid);
    DIR *tasks = opendir(path);
    for (struct dirent *task; found == 0 && tasks && (task = readdir(tasks));) {
        int id = process_parse_pid(task->d_name);
        if (id != 0 && inner_id(process->pid, id) == inner)
            found = id;
    }
    if (tasks)
        closedir(tasks);
    return found;
}

/* A process that has been killed is only zombies as long as we trace them. */
static bool writer_lives(const struct standby *standby)
{
    char line[THREAD_LINE_BYTES], state = 0;
    const char *text = thread_line(standby->process.pid, standby->writer, "State:", line);
    return sscanf(text, " %c", &state) == 1 && state != 'Z' && state != 'X';
}

/* Why the process did not come to an end with it, NULL: it did. All threads but one stand. */
static char *wait_for_scan(struct standby *standby, uint32_t round)
{
    uint64_t end_ns = moment_now(CLOCK_MONOTONIC) + SCAN_WAIT_MS * 1000000ull;
    for (unsigned polls = 1; word_now(standby) == round + BOX_STANDSTILL_STOPPED; polls++) {
        if (polls % LOOK_POLLS == 0 && !writer_lives(standby))
            return memory_format("%s", "it has ended");
        if (moment_now(CLOCK_MONOTONIC) > end_ns)
            return memory_format("it did not come to an end in %d s", SCAN_WAIT_MS / 1000);
        nap();
    }
    if (change(standby, round, BOX_STANDSTILL_SCANNED, BOX_STANDSTILL_CONFIRMED))
        return NULL;
    return memory_format("%s", "it has given up");
}

/* Why they do not stand, or what stands is not all; NULL: they do, but the one that asked. */
static char *stop_others(struct standby *standby, struct stop *stop)
{
    char *reason = stop_all(stop, standby->process.pid);
    if (reason)
        return reason;
    if (stop->restless_count > 0)
        return memory_format("%zu threads wait in the kernel and could not be stopped",
                             stop->restless_count);
    standby->writer = outer_id(&standby->process, standby->header->standstill.thread);
    if (!stop_spare(stop, standby->writer))
        return memory_format("%s", "the thread that writes is not found");
    return NULL;
}

static char *serve_round(struct standby *standby, uint32_t round)
{
    struct stop stop = {0};
    char *reason = stop_others(standby, &stop);
    if (reason)
        change(standby, round, BOX_STANDSTILL_STOPPING, BOX_STANDSTILL_REFUSED);
    else if (change(standby, round, BOX_STANDSTILL_STOPPING, BOX_STANDSTILL_STOPPED))
        reason = wait_for_scan(standby, round);
    else
        reason = memory_format("%s", "it takes too long to stop them");
    stop_release(&stop);
    return reason;
}

void standby_serve(struct standby *standby)
{
    renew(standby);
    uint32_t word = word_now(standby), round = word - word % BOX_STANDSTILL_STATES;
    if (!change(standby, round, BOX_STANDSTILL_ASKED, BOX_STANDSTILL_STOPPING))
        return;
    char *reason = serve_round(standby, round);
    free(standby->reason);
    standby->reason = reason;
    standby->stops += !reason;
    renew(standby);
}
