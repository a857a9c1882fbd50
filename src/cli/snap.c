#include "snap.h"

#include "box_search.h"
#include "memory.h"
#include "message.h"
#include "name_pattern.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    ANSWER_WAIT_MS = 3000, /* a large heap's snapshot takes well below a second */
    ANSWER_POLL_MS = 2,
    COPY_BYTES = 1 << 16,
    PROFILE_PERMISSIONS = 0644
};

/* A snapshot being asked for. */
struct snap {
    struct process process;
    struct box_file box;
    const char *wanted_path; /* NULL: by the usual names */
    uint64_t asked_ns;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void wait_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = ANSWER_POLL_MS * 1000000L}, NULL);
}

/* Sends the signal and waits until the process has written its snapshot. NULL, or why it has not. */
static const char *ask(struct snap *snap)
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
    uint32_t before = __atomic_load_n(&header->snapshots, __ATOMIC_ACQUIRE);
    uint64_t lost_before = __atomic_load_n(&header->lost.snapshots, __ATOMIC_ACQUIRE);
    snap->asked_ns = now_ns();
    if (kill(snap->process.pid, header->signal) != 0)
        return strerror(errno);
    for (int waited = 0; waited < ANSWER_WAIT_MS; waited += ANSWER_POLL_MS) {
        if (__atomic_load_n(&header->snapshots, __ATOMIC_ACQUIRE) != before)
            return NULL;
        if (__atomic_load_n(&header->lost.snapshots, __ATOMIC_ACQUIRE) != lost_before)
            return "it could not write its snapshot";
        wait_a_little();
    }
    return "it did not answer in 3 s";
}

static uint64_t changed_ns(const struct stat *status)
{
    return (uint64_t)status->st_mtim.tv_sec * 1000000000u + (uint64_t)status->st_mtim.tv_nsec;
}

/* The newest file that the process can have written since it was asked; malloc'd, or NULL. */
static char *find_written(const struct snap *snap)
{
    const struct box_header *header = snap->box.view.header;
    char *pattern = memory_text(header->pattern, strnlen(header->pattern, sizeof(header->pattern)));
    char *root = memory_format("/proc/%d/root", snap->process.pid);
    struct name_values values = {.program = snap->box.program, .pid = header->pid};
    struct path_list list = {0};
    char *newest = NULL;
    uint64_t newest_ns = snap->asked_ns - 1000000000u; /* file clocks lag by a tick or more */
    name_pattern_search(&list, root, pattern, &values);
    for (size_t i = 0; i < list.count; i++) {
        struct stat status;
        if (lstat(list.paths[i], &status) != 0 || !S_ISREG(status.st_mode) ||
            status.st_uid != snap->process.user || changed_ns(&status) <= newest_ns)
            continue;
        newest_ns = changed_ns(&status);
        newest = list.paths[i];
    }
    newest = newest ? memory_format("%s", newest) : NULL;
    path_list_free(&list);
    free(root);
    free(pattern);
    return newest;
}

static bool copy_bytes(int fd, struct sink *sink)
{
    unsigned char *bytes = memory_zeroed(1, COPY_BYTES);
    ssize_t got;
    while ((got = read(fd, bytes, COPY_BYTES)) > 0)
        if (!sink->write(sink, bytes, (size_t)got))
            break;
    free(bytes);
    return got == 0;
}

/* Moves what the process wrote to where it is wanted. Another user's files are only copied: their
   names may lead anywhere by the time we would delete them. */
static bool move_written(const struct snap *snap, const char *from)
{
    struct output output;
    struct stat status;
    int fd = open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0 || status.st_uid != snap->process.user ||
        !S_ISREG(status.st_mode) ||
        !output_open(&output, snap->wanted_path, PROFILE_PERMISSIONS, OUTPUT_AS_IS)) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool copied = copy_bytes(fd, &output.sink);
    close(fd);
    if (!copied) {
        output_abandon(&output);
        return false;
    }
    if (!output_commit(&output, OUTPUT_REPLACE))
        return false;
    if (snap->process.user == geteuid())
        unlink(from);
    return true;
}

/* The path without the "/proc/PID/root" of a process that sees the same files as we do. */
static const char *shown_path(const struct snap *snap, const char *path)
{
    char root[64];
    int length = snprintf(root, sizeof(root), "/proc/%d/root", snap->process.pid);
    struct stat inside, here;
    if (strncmp(path, root, (size_t)length) == 0 && stat(path, &inside) == 0 &&
        stat(path + length, &here) == 0 && inside.st_dev == here.st_dev &&
        inside.st_ino == here.st_ino)
        return path + length;
    return path;
}

/* By signal. NULL, or why not. */
static const char *snap_by_signal(struct snap *snap)
{
    const char *reason = ask(snap);
    if (reason)
        return reason;
    char *written = find_written(snap);
    if (!written)
        return "it answered, but its file cannot be found from here";
    if (snap->wanted_path && !move_written(snap, written))
        reason = "it answered, but its file cannot be moved";
    else
        message_note("%s: written by %s (pid %d), asked by signal %d (%s)",
                     snap->wanted_path ? snap->wanted_path : shown_path(snap, written),
                     snap->box.program, snap->process.pid, snap->box.view.header->signal,
                     strsignal(snap->box.view.header->signal));
    free(written);
    return reason;
}

static bool snap_by_box(const struct snap *snap, const char *why)
{
    struct box_profile_facts facts = {.time_ns = now_ns(),
                                      .rss_bytes = snap->process.rss_bytes,
                                      .rss_peak_bytes = snap->process.rss_peak_bytes,
                                      .threads = snap->process.threads,
                                      .source = "black box"};
    char *path = box_file_save(&snap->box, &facts, snap->wanted_path);
    if (!path)
        return false;
    message_note("%s: read from the black box of %s (pid %d): %s", path, snap->box.program,
                 snap->process.pid, why);
    free(path);
    return true;
}

/* Before the process is disturbed: whether its answer could be put there at all. */
static bool check_wanted_path(const char *path)
{
    struct output output;
    if (!output_open(&output, path, PROFILE_PERMISSIONS, OUTPUT_AS_IS))
        return message_error(path, "cannot be written: %s", strerror(errno));
    output_abandon(&output);
    return true;
}

static bool snap_process(int pid, const char *wanted_path)
{
    struct snap snap = {.wanted_path = wanted_path};
    char what[32];
    snprintf(what, sizeof(what), "%d", pid);
    if (wanted_path && !check_wanted_path(wanted_path))
        return false;
    if (!process_read(&snap.process, pid))
        return message_error(what, "no such process");
    const char *reason = box_search_process(&snap.box, &snap.process);
    if (reason)
        return message_error(what, "%s", reason);
    reason = snap_by_signal(&snap);
    bool done = !reason || snap_by_box(&snap, reason);
    box_file_close(&snap.box);
    return done;
}

static int parse_pid(const char *text)
{
    char *end;
    errno = 0;
    long pid = strtol(text, &end, 10);
    return errno == 0 && *end == '\0' && end != text && pid > 0 && pid <= INT32_MAX ? (int)pid : 0;
}

static int print_help(void)
{
    puts("usage: heapdiff snap PID [-o FILE]\n"
         "Takes a snapshot of a running process that was started under heapdiff: by its signal "
         "when\n"
         "it listens to it, else from its black box.\n"
         "  -o, --output FILE   write FILE (default: the process's own pattern, or from the black\n"
         "                      box NAME.PID.N.prof here)");
    return 0;
}

int command_snap(int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *wanted_path = NULL;
    int option;
    optind = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
        if (option == 'h')
            return print_help();
        if (option == ':')
            return message_usage("snap", "%s needs a value", argv[optind - 1]);
        if (option != 'o')
            return message_usage("snap", "unknown option %s", argv[optind - 1]);
        wanted_path = optarg;
    }
    if (argc - optind != 1)
        return message_usage("snap", "one PID is wanted");
    int pid = parse_pid(argv[optind]);
    if (pid == 0)
        return message_usage("snap", "not a PID: %s", argv[optind]);
    return snap_process(pid, wanted_path) ? 0 : 1;
}
