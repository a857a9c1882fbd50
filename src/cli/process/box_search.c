#include "box_search.h"

#include "program.h"
#include "cli/ground/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/sysmacros.h>

#define BOX_SUFFIX     ".heapdiff"
#define DELETED_SUFFIX " (deleted)"
#define PRELOAD_NAME   "libheapdiff.so"

static bool ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), suffix_length = strlen(suffix);
    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

void box_search_directory(struct path_list *list, const char *directory)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char *path = memory_format("%s/%s", directory, entries[i]->d_name);
        if (ends_with(path, BOX_SUFFIX) && entries[i]->d_type != DT_LNK)
            path_list_add(list, path);
        free(path);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

/* Whether two names are one directory, so that no box is listed twice. */
static bool same_directory(const char *left, const char *right)
{
    char *left_path = realpath(left, NULL), *right_path = realpath(right, NULL);
    bool same = left_path && right_path && strcmp(left_path, right_path) == 0;
    free(left_path);
    free(right_path);
    return same;
}

void box_search_usual(struct path_list *list)
{
    const char *temporary = getenv("TMPDIR");
    if (!temporary || *temporary == '\0')
        temporary = "/tmp";
    const char *directories[] = {"/dev/shm", temporary, "."};
    for (int i = 0; i < 3; i++) {
        bool seen = false;
        for (int j = 0; j < i; j++)
            seen |= same_directory(directories[i], directories[j]);
        if (!seen)
            box_search_directory(list, directories[i]);
    }
}

const char *box_search_pid(struct box_file *box, int inner_pid)
{
    struct path_list list = {0};
    *box = (struct box_file){0};
    box_search_usual(&list);
    for (size_t i = 0; i < list.count; i++) {
        struct box_file other;
        if (box_file_open(&other, list.paths[i]))
            continue;
        bool better =
            other.view.header->pid == inner_pid &&
            (!box->path || other.view.header->start_time_ns > box->view.header->start_time_ns);
        if (better) {
            box_file_close(box);
            *box = other;
        } else {
            box_file_close(&other);
        }
    }
    path_list_free(&list);
    return box->path ? NULL : "no black box of this process in /dev/shm, $TMPDIR or here";
}

/* One line of /proc/PID/maps. */
struct maps_line {
    unsigned long start, end;
    unsigned long long offset, inode;
    unsigned major_number, minor_number;
    char *path; /* into the line */
};

static bool parse_line(struct maps_line *out, char *line)
{
    int path_at = 0;
    line[strcspn(line, "\n")] = '\0';
    int fields =
        sscanf(line, "%lx-%lx %*s %llx %x:%x %llu %n", &out->start, &out->end, &out->offset,
               &out->major_number, &out->minor_number, &out->inode, &path_at);
    out->path = line + path_at;
    return fields == 6 && path_at > 0;
}

/* Opens what a line maps: by the kernel's own link where we may, else by name as the process sees
   it, if that is still the same file. */
static const char *open_mapped(struct box_file *box, int pid, const struct maps_line *line)
{
    char *path = memory_format("/proc/%d/map_files/%lx-%lx", pid, line->start, line->end);
    const char *reason = box_file_open(box, path);
    free(path);
    if (!reason)
        return NULL;
    if (ends_with(line->path, DELETED_SUFFIX))
        return "its black box has been deleted, and reading it needs root";
    path = memory_format("/proc/%d/root%s", pid, line->path);
    reason = box_file_open(box, path);
    free(path);
    if (!reason && box->inode != line->inode) {
        box_file_close(box);
        reason = "its black box has been replaced by another file";
    }
    return reason;
}

static const char *explain_absence(const struct process *process, bool preloaded)
{
    char path[64];
    if (preloaded)
        return "runs under heapdiff without a black box (blackbox=off, or another process's "
               "options): ask it with kill -USR1";
    snprintf(path, sizeof(path), "/proc/%d/exe", process->pid);
    if (program_check_file(path) == PROGRAM_STATIC)
        return "statically linked: heapdiff cannot record it";
    return "not recorded: libheapdiff.so is not preloaded in it";
}

static const char *explain_refusal(const struct process *process)
{
    return process->user == geteuid() ? "its memory may not be looked at (it is not dumpable, or "
                                        "has more rights than we): "
                                        "ask it with kill -USR1"
                                      : "not ours: it belongs to another user";
}

const char *box_search_process(struct box_file *box, const struct process *process)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/maps", process->pid);
    FILE *maps = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;
    const char *reason = "";
    bool preloaded = false;
    if (!maps)
        return errno == EACCES ? explain_refusal(process) : strerror(errno);
    errno = 0;
    while (*reason == '\0' && getline(&text, &room, maps) > 0) {
        struct maps_line line;
        if (!parse_line(&line, text))
            continue;
        preloaded |= strstr(line.path, PRELOAD_NAME) != NULL;
        if (line.offset == 0 &&
            (ends_with(line.path, BOX_SUFFIX) || ends_with(line.path, BOX_SUFFIX DELETED_SUFFIX))) {
            reason = open_mapped(box, process->pid, &line);
            if (!reason)
                break;
        }
    }
    if (reason && *reason == '\0')
        reason = errno == EACCES || errno == EPERM ? explain_refusal(process)
                                                   : explain_absence(process, preloaded);
    free(text);
    fclose(maps);
    return reason;
}
