#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_BYTES_MAX = 8192, NAME_BYTES_MAX = 512 };

/* Reads /proc/`name` into `text`, terminated; false when it cannot be read. */
static bool read_text(const char *name, char *text, size_t room_bytes)
{
    char path[sizeof("/proc/") + NAME_BYTES_MAX];
    snprintf(path, sizeof(path), "/proc/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t length = 0;
    ssize_t got;
    while (length < room_bytes - 1 && (got = read(fd, text + length, room_bytes - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    close(fd);
    return length > 0;
}

/* What follows "\nKEY:" in a status file, or NULL. */
static const char *status_value(const char *status, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = status; line; line = strchr(line, '\n')) {
        line += line != status;
        if (strncmp(line, key, length) == 0 && line[length] == ':')
            return line + length + 1;
    }
    return NULL;
}

static uint64_t status_number(const char *status, const char *key, int base)
{
    const char *value = status_value(status, key);
    return value ? strtoull(value, NULL, base) : 0;
}

/* The last of the numbers in the line "NSpid: OUTER ... INNER". */
static int innermost_pid(const char *status, int fallback)
{
    const char *value = status_value(status, "NSpid");
    char *end;
    while (value && *value != '\n' && *value != '\0') {
        long number = strtol(value, &end, 10);
        if (end == value)
            break;
        fallback = (int)number;
        value = end + strspn(end, " \t");
    }
    return fallback;
}

/* Field 22 of a stat file; the name in parentheses may hold anything. */
static uint64_t start_ticks(const char *stat)
{
    const char *at = strrchr(stat, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

/* A leader that has ended stands for its other threads as a zombie. */
static bool has_ended(const char *status)
{
    const char *state = status_value(status, "State");
    state += state ? strspn(state, " \t") : 0;
    bool zombie = !state || *state == 'Z' || *state == 'X' || *state == 'x';
    return zombie && status_number(status, "Threads", 10) <= 1;
}

bool process_read(struct process *process, int pid)
{
    char name[64], stat[1024], status[STATUS_BYTES_MAX];
    *process = (struct process){.pid = pid};
    snprintf(name, sizeof(name), "%d/stat", pid);
    if (!read_text(name, stat, sizeof(stat)))
        return false;
    snprintf(name, sizeof(name), "%d/status", pid);
    if (!read_text(name, status, sizeof(status)) || has_ended(status))
        return false;
    const char *state = status_value(status, "State");
    state += strspn(state, " \t");
    process->stopped = *state == 'T' || *state == 't';
    process->start_ticks = start_ticks(stat);
    process->inner_pid = innermost_pid(status, pid);
    const char *users = status_value(status, "Uid"); /* real, effective, ... */
    if (users)
        sscanf(users, "%*u %u", &process->user);
    process->rss_bytes = status_number(status, "VmRSS", 10) * 1024;
    process->rss_peak_bytes = status_number(status, "VmHWM", 10) * 1024;
    process->threads = (uint32_t)status_number(status, "Threads", 10);
    process->caught_signals = status_number(status, "SigCgt", 16);
    return true;
}

int process_parse_pid(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    long pid = digits > 0 && digits < 11 && text[digits] == '\0' ? strtol(text, NULL, 10) : 0;
    return pid <= INT_MAX ? (int)pid : 0;
}

bool process_takes_signal(const struct process *process, int number)
{
    char name[512], status[STATUS_BYTES_MAX];
    uint64_t bit = 1ull << (number - 1);
    if (number < 1 || number > 64 || process->stopped || !(process->caught_signals & bit))
        return false;
    snprintf(name, sizeof(name), "/proc/%d/task", process->pid);
    DIR *tasks = opendir(name);
    bool takes = false;
    for (struct dirent *task; tasks && !takes && (task = readdir(tasks));) {
        snprintf(name, sizeof(name), "%d/task/%s/status", process->pid, task->d_name);
        takes = process_parse_pid(task->d_name) != 0 && read_text(name, status, sizeof(status)) &&
                !(status_number(status, "SigBlk", 16) & bit);
    }
    if (tasks)
        closedir(tasks);
    return takes;
}

static bool is_it(int pid, int inner_pid, uint64_t ticks)
{
    struct process process;
    return pid != 0 && process_read(&process, pid) && process.inner_pid == inner_pid &&
           process.start_ticks == ticks;
}

int process_find(int inner_pid, uint64_t ticks)
{
    int found = 0;
    if (is_it(inner_pid, inner_pid, ticks))
        return inner_pid;
    DIR *all = opendir("/proc");
    for (struct dirent *entry; all && found == 0 && (entry = readdir(all));)
        if (is_it(process_parse_pid(entry->d_name), inner_pid, ticks))
            found = process_parse_pid(entry->d_name);
    if (all)
        closedir(all);
    return found;
}
