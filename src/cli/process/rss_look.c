#include "rss_look.h"

#include "binary.h"
#include "cgroup.h"
#include "stop.h"
#include "cli/ground/memory.h"
#include "cli/ground/message.h"
#include "cli/ground/moment.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TRIES_MAX = 4, /* for a look without drift: a process at rest gives one at once */
    STATUS_BYTES_MAX = 8192
};

static bool failed(int pid, const char *reason)
{
    char what[16];
    snprintf(what, sizeof(what), "%d", pid);
    return message_error(what, "%s", reason);
}

/* Who it is. */

static bool not_there(int pid)
{
    if (kill(pid, 0) == 0 || errno == EPERM)
        return failed(pid, "/proc hides this process from us (hidepid): that needs root");
    return failed(pid, "no such process");
}

/* Where a thread lives on whose process's first has ended, the memory is read through it. */
static bool open_memory(struct rss_look *look)
{
    char path[64];
    look->memory = (struct process_dir){.fd = dup(look->dir.fd), .pid = look->dir.pid};
    for (size_t i = 0; i < look->scene.threads.count; i++) {
        char status[STATUS_BYTES_MAX];
        int id = look->scene.threads.threads[i].id;
        snprintf(path, sizeof(path), "task/%d", id);
        int fd = openat(look->dir.fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct process_dir thread = {.fd = fd, .pid = id};
        if (fd >= 0 && process_dir_read(&thread, "status", status, sizeof(status)) &&
            process_status_number(status, "VmSize", 0) > 0) {
            process_dir_close(&look->memory);
            look->memory = thread;
            return true;
        }
        process_dir_close(&thread);
    }
    return false;
}

static bool begin(struct rss_look *look, int pid)
{
    char status[STATUS_BYTES_MAX];
    if (!process_dir_open(&look->dir, pid))
        return not_there(pid);
    bool there = process_read(&look->process, pid);
    if (!process_dir_read(&look->dir, "status", status, sizeof(status)))
        return not_there(pid); /* hidden, its directory can be opened all the same */
    if (!there)
        return failed(pid, "it has ended, and waits to be collected by its parent (a zombie)");
    look->scene.threads = thread_list_read(&look->dir);
    if (process_status_number(status, "VmSize", 0) > 0)
        look->memory = (struct process_dir){.fd = dup(look->dir.fd), .pid = pid};
    else if (!open_memory(look))
        return failed(pid, "a kernel thread: it has no memory of its own");
    if (process_dir_read(&look->dir, "comm", look->name, sizeof(look->name)))
        look->name[strcspn(look->name, "\n")] = '\0';
    return true;
}

/* When it was started: its age is counted from boot. */
static int64_t start_time(const struct process *process)
{
    struct timespec boot = {0};
    clock_gettime(CLOCK_BOOTTIME, &boot);
    uint64_t start = process->start_ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
    return (int64_t)(moment_now(CLOCK_REALTIME) - moment_of(boot) + start);
}

/* What it has. */

static bool unreadable(const struct rss_look *look, int error)
{
    int pid = look->dir.pid;
    if (error != EACCES && error != EPERM)
        return failed(pid, error == ESRCH ? "it has ended" : strerror(error));
    char *reason =
        look->process.user == geteuid()
            ? memory_format("%s",
                            "its memory may not be looked at (it is not dumpable, or has more "
                            "rights than we): that needs root")
            : memory_format("it is another user's (uid %u): that needs root, or its user",
                            look->process.user);
    failed(pid, reason);
    free(reason);
    return false;
}

static bool read_smaps(struct smaps *smaps, const struct rss_look *look, const char *name)
{
    size_t size_bytes;
    char *text = process_dir_text(&look->memory, name, &size_bytes);
    if (!text)
        return false;
    const char *reason = smaps_parse(smaps, text, size_bytes);
    errno = reason ? EINVAL : 0;
    return !reason;
}

/* Mappings, then the kernel's sum. Without smaps_rollup (before Linux 4.14) the sum is ours. */
static bool read_memory(struct rss_look *look, struct smaps *smaps, uint64_t total[SMAPS_FIELDS])
{
    struct smaps rollup = {0};
    if (!read_smaps(smaps, look, "smaps"))
        return false;
    bool summed = read_smaps(&rollup, look, "smaps_rollup");
    memcpy(total, summed ? rollup.total : smaps->total, sizeof(rollup.total));
    smaps_free(&rollup);
    return true;
}

static uint64_t gap(const struct smaps *smaps, const uint64_t total[SMAPS_FIELDS])
{
    uint64_t sum = smaps->total[SMAPS_RSS], rss = total[SMAPS_RSS];
    return sum > rss ? sum - rss : rss - sum;
}

/* The look with the least drift of a few. */
static bool read_best(struct rss_look *look, uint64_t total[SMAPS_FIELDS], int tries)
{
    if (!read_memory(look, &look->scene.smaps, total))
        return false;
    for (int i = 1; i < tries && gap(&look->scene.smaps, total) > 0; i++) {
        struct smaps smaps = {0};
        uint64_t other[SMAPS_FIELDS];
        if (!read_memory(look, &smaps, other))
            return true;
        if (gap(&smaps, other) < gap(&look->scene.smaps, total)) {
            struct smaps worse = look->scene.smaps;
            look->scene.smaps = smaps;
            smaps = worse;
            memcpy(total, other, sizeof(other));
        }
        smaps_free(&smaps);
    }
    return true;
}

static void fill_beside(struct rss_look *look, const uint64_t total[SMAPS_FIELDS])
{
    char status[STATUS_BYTES_MAX] = "";
    struct cgroup_memory cgroup = cgroup_memory_read(&look->dir);
    int64_t *beside = look->book.beside;
    process_dir_read(&look->memory, "status", status, sizeof(status));
    beside[LEDGER_RSS_PEAK] = (int64_t)process_status_number(status, "VmHWM", 0) * 1024;
    beside[LEDGER_PAGE_TABLES] = (int64_t)process_status_number(status, "VmPTE", 0) * 1024;
    beside[LEDGER_HUGETLB] = (int64_t)process_status_number(status, "HugetlbPages", 0) * 1024;
    beside[LEDGER_SWAP] = (int64_t)total[SMAPS_SWAP];
    beside[LEDGER_PSS] = (int64_t)total[SMAPS_PSS];
    beside[LEDGER_USS] = (int64_t)(total[SMAPS_PRIVATE_CLEAN] + total[SMAPS_PRIVATE_DIRTY]);
    beside[LEDGER_LAZY_FREE] = (int64_t)total[SMAPS_LAZY_FREE];
    beside[LEDGER_HUGE_PAGES] = (int64_t)(total[SMAPS_ANONYMOUS_HUGE] +
                                          total[SMAPS_SHARED_MEMORY_HUGE] + total[SMAPS_FILE_HUGE]);
    beside[LEDGER_CGROUP] = (int64_t)cgroup.used_bytes;
    beside[LEDGER_CGROUP_LIMIT] = (int64_t)cgroup.limit_bytes;
}

static void fill_lines(struct rss_look *look)
{
    for (size_t i = 0; i < look->scene.smaps.count; i++) {
        struct vma_label label = vma_label_of(&look->scene, i);
        for (size_t part = 0; part < 2; part++)
            ledger_add(&look->book, label.parts[part].kind, label.parts[part].name,
                       (int64_t)label.parts[part].bytes);
        vma_label_free(&label);
    }
}

/* All that must be of one moment. */
static bool read_moment(struct rss_look *look, uint64_t total[SMAPS_FIELDS], bool stopped)
{
    look->time_ns = (int64_t)moment_now(CLOCK_REALTIME);
    if (!read_best(look, total, stopped ? 1 : TRIES_MAX))
        return unreadable(look, errno);
    thread_list_free(&look->scene.threads);
    look->scene.threads = thread_list_read(&look->dir);
    look->book.known = true;
    look->book.source = LEDGER_SMAPS;
    look->book.stopped = stopped;
    return true;
}

static bool read_stopped(struct rss_look *look, uint64_t total[SMAPS_FIELDS])
{
    struct stop stop;
    uint64_t before = moment_now(CLOCK_MONOTONIC);
    char *reason = stop_all(&stop, look->dir.pid);
    if (reason) {
        failed(look->dir.pid, reason);
        free(reason);
        return false;
    }
    look->restless_count = stop.restless_count;
    bool good = read_moment(look, total, stop.restless_count == 0);
    stop_release(&stop);
    look->stopped_ns = (int64_t)(moment_now(CLOCK_MONOTONIC) - before);
    return good;
}

bool rss_look_take(struct rss_look *look, int pid, bool exact)
{
    uint64_t total[SMAPS_FIELDS] = {0};
    *look = (struct rss_look){.dir = {.fd = -1}, .memory = {.fd = -1}};
    bool good = begin(look, pid);
    if (good)
        good = exact ? read_stopped(look, total) : read_moment(look, total, false);
    if (!good) {
        rss_look_free(look);
        return false;
    }
    look->scene.dir = &look->memory;
    look->scene.pid = look->dir.pid;
    look->scene.go_heap = binary_go_heap(&look->memory);
    look->scene.java = vma_label_is_java(&look->scene.smaps);
    look->start_ns = start_time(&look->process);
    fill_lines(look);
    fill_beside(look, total);
    ledger_finish(&look->book, (int64_t)total[SMAPS_RSS]);
    return true;
}

void rss_look_free(struct rss_look *look)
{
    smaps_free(&look->scene.smaps);
    thread_list_free(&look->scene.threads);
    ledger_clear(&look->book);
    process_dir_close(&look->dir);
    process_dir_close(&look->memory);
}
