#include "written_file.h"

#include "name_pattern.h"
#include "cli/ground/memory.h"
#include "cli/ground/moment.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BYTES = 1 << 16 };

char *written_file_find(const struct box_file *box, const struct process *process,
                        uint64_t asked_ns)
{
    const struct box_header *header = box->view.header;
    char *pattern = memory_text(header->pattern, strnlen(header->pattern, sizeof(header->pattern)));
    char *root = memory_format("/proc/%d/root", process->pid);
    struct name_values values = {.program = box->program, .pid = header->pid};
    struct path_list list = {0};
    char *newest = NULL;
    uint64_t newest_ns = asked_ns - 1000000000u; /* file clocks lag by a tick or more */
    name_pattern_search(&list, root, pattern, &values);
    for (size_t i = 0; i < list.count; i++) {
        struct stat status;
        if (lstat(list.paths[i], &status) != 0 || !S_ISREG(status.st_mode) ||
            status.st_uid != process->user || moment_of(status.st_mtim) <= newest_ns)
            continue;
        newest_ns = moment_of(status.st_mtim);
        newest = list.paths[i];
    }
    newest = newest ? memory_format("%s", newest) : NULL;
    path_list_free(&list);
    free(root);
    free(pattern);
    return newest;
}

int written_file_open(const char *path, uid_t user)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || (fstat(fd, &status) == 0 && status.st_uid == user && S_ISREG(status.st_mode)))
        return fd;
    close(fd);
    return -1;
}

bool written_file_copy(int fd, struct sink *sink)
{
    unsigned char *bytes = memory_zeroed(1, COPY_BYTES);
    ssize_t got;
    while ((got = read(fd, bytes, COPY_BYTES)) > 0)
        if (!sink->write(sink, bytes, (size_t)got))
            break;
    free(bytes);
    return got >= 0; /* what cannot be written is the output's to tell */
}

const char *written_file_shown(const char *path, int pid)
{
    char root[64];
    int length = snprintf(root, sizeof(root), "/proc/%d/root", pid);
    struct stat inside, here;
    if (strncmp(path, root, (size_t)length) == 0 && stat(path, &inside) == 0 &&
        stat(path + length, &here) == 0 && inside.st_dev == here.st_dev &&
        inside.st_ino == here.st_ino)
        return path + length;
    return path;
}
