#include "process_dir.h"

#include "cli/ground/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_BYTES = 1 << 16 };

bool process_dir_open(struct process_dir *dir, int pid)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d", pid);
    dir->pid = pid;
    dir->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return dir->fd >= 0;
}

void process_dir_close(struct process_dir *dir)
{
    if (dir->fd >= 0)
        close(dir->fd);
    dir->fd = -1;
}

/* Reads until the end or until the room is full; false: errno tells. */
static bool read_some(int fd, char *text, size_t room_bytes, size_t *length)
{
    while (*length < room_bytes) {
        ssize_t got = read(fd, text + *length, room_bytes - *length);
        if (got == 0)
            return true;
        if (got > 0)
            *length += (size_t)got;
        else if (errno != EINTR)
            return false;
    }
    return true;
}

char *process_dir_text(const struct process_dir *dir, const char *name, size_t *size_bytes)
{
    size_t length = 0, room_bytes = FIRST_BYTES;
    int fd = openat(dir->fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *text = memory_zeroed(1, room_bytes);
    bool good = read_some(fd, text, room_bytes - 1, &length);
    while (good && length == room_bytes - 1) {
        room_bytes *= 2;
        text = memory_resized(text, room_bytes, 1);
        good = read_some(fd, text, room_bytes - 1, &length);
    }
    int error = errno;
    close(fd);
    text[length] = '\0';
    *size_bytes = length;
    if (good)
        return text;
    free(text);
    errno = error;
    return NULL;
}

bool process_dir_read(const struct process_dir *dir, const char *name, char *text,
                      size_t room_bytes)
{
    size_t length = 0;
    int fd = openat(dir->fd, name, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && read_some(fd, text, room_bytes - 1, &length);
    text[length] = '\0';
    if (fd >= 0)
        close(fd);
    return good;
}

uint64_t process_status_number(const char *status, const char *key, uint64_t fallback)
{
    size_t length = strlen(key);
    for (const char *line = status; line; line = strchr(line, '\n')) {
        line += line != status;
        if (strncmp(line, key, length) == 0 && line[length] == ':')
            return strtoull(line + length + 1, NULL, 10);
    }
    return fallback;
}
