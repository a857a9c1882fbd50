#include "proc.h"

#include "permit.h"
#include "sys.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { PROC_OWN_BYTES = 64 }; /* a name that we have written ourselves */

/* The first look at a file of a process makes it, 20 us, and the directories above it: of the main thread, which has the
   memory as long as it runs, those of its own are left out. */
static bool is_main(void)
{
    return sys_tid() == sys_pid();
}

long proc_descriptor(const char *path)
{
    static const char self[] = "/proc/self/";
    char own[PROC_OWN_BYTES];
    struct text text = text_on(own, sizeof(own));
    long fd = -ENOENT;
    if (strncmp(path, self, sizeof(self) - 1) == 0 && !is_main()) {
        text_put(&text, "/proc/thread-self/"); /* Linux 3.17 */
        text_put(&text, path + sizeof(self) - 1);
        fd = text.cut ? -ENAMETOOLONG : sys_open(own, SYS_OPEN_TO_READ, 0);
    }
    return sys_failed(fd) ? sys_open(path, SYS_OPEN_TO_READ, 0) : fd;
}

/* The file that a call has opened, if it has. */
static bool file_on(struct proc_file *file, long fd)
{
    struct stat now;
    *file = (struct proc_file){.fd = (int)fd};
    if (sys_failed(fd))
        return false;
    if (sys_failed(sys_call2(SYS_fstat, fd, (long)&now)) ||
        (!S_ISREG(now.st_mode) && !S_ISDIR(now.st_mode))) {
        sys_close((int)fd);
        return false;
    }
    file->device = now.st_dev;
    file->inode = now.st_ino;
    return true;
}

bool proc_open(struct proc_file *file, const char *path)
{
    return file_on(file, proc_descriptor(path));
}

bool proc_open_below(struct proc_file *file, const struct proc_file *directory, const char *name)
{
    return file_on(file, sys_open_below(directory->fd, name, SYS_OPEN_TO_READ));
}

/* Others may have closed it, and been given its number. */
bool proc_is_same(const struct proc_file *file)
{
    struct stat now;
    return !sys_failed(sys_call2(SYS_fstat, file->fd, (long)&now)) && now.st_dev == file->device &&
           now.st_ino == file->inode;
}

/* What a filter of system calls that does not kill may say. */
static bool is_refusal(long error)
{
    return error == -EPERM || error == -EACCES || error == -ENOSYS;
}

/* By pread, which takes nothing from a socket or a pipe that has got our number. */
long proc_read(struct proc_file *file, void *buffer, size_t size_bytes)
{
    if (!permit_has(PERMIT_PAGEMAP))
        return sys_read(file->fd, buffer, size_bytes);
    long got = -EINTR;
    while (got == -EINTR && !file->plain)
        got = sys_call4(SYS_pread64, file->fd, (long)buffer, (long)size_bytes, (long)file->offset);
    file->plain |= file->offset == 0 && is_refusal(got);
    if (file->plain)
        return proc_is_same(file) ? sys_read(file->fd, buffer, size_bytes) : -EBADF;
    if (got > 0)
        file->offset += (uint64_t)got;
    return got;
}

void proc_close(struct proc_file *file)
{
    if (proc_is_same(file))
        sys_close(file->fd);
    file->fd = -1;
}

bool proc_lines_open(struct proc_lines *lines, const char *path, char *buffer, size_t room_bytes)
{
    *lines = (struct proc_lines){.buffer = buffer, .room_bytes = room_bytes};
    return proc_open(&lines->file, path);
}

/* More bytes behind those that have not been given out, which move to the front. */
static bool lines_fill(struct proc_lines *lines)
{
    size_t left = lines->filled - lines->at;
    memmove(lines->buffer, lines->buffer + lines->at, left);
    lines->at = 0;
    lines->filled = left;
    long got = proc_read(&lines->file, lines->buffer + left, lines->room_bytes - 1 - left);
    if (got > 0)
        lines->filled += (size_t)got;
    lines->failed |= got < 0;
    return got > 0;
}

static char *lines_give(struct proc_lines *lines, size_t length)
{
    char *line = lines->buffer + lines->at;
    line[length] = '\0';
    lines->at += length;
    return line;
}

char *proc_lines_next(struct proc_lines *lines)
{
    for (;;) {
        char *start = lines->buffer + lines->at;
        size_t left = lines->filled - lines->at;
        char *end = memchr(start, '\n', left);
        bool skipped = lines->skipping;
        if (end) {
            char *line = lines_give(lines, (size_t)(end - start));
            lines->at++;
            lines->skipping = false;
            if (!skipped)
                return line;
        } else if (left == lines->room_bytes - 1) {
            lines->skipping = true;
            char *line = lines_give(lines, left);
            if (!skipped)
                return line;
        } else if (!lines_fill(lines)) {
            return left > 0 && !skipped ? lines_give(lines, left) : NULL;
        }
    }
}

void proc_lines_close(struct proc_lines *lines)
{
    proc_close(&lines->file);
}

uint64_t proc_read_hex(const char **at)
{
    uint64_t value = 0;
    for (;; (*at)++) {
        char digit = **at;
        if (digit >= '0' && digit <= '9')
            value = value << 4 | (uint64_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            value = value << 4 | (uint64_t)(digit - 'a' + 10);
        else
            return value;
    }
}

bool proc_status(const char *const *keys, uint64_t *values, unsigned count)
{
    char buffer[1024];
    struct proc_lines lines;
    memset(values, 0, count * sizeof(*values));
    if (!proc_lines_open(&lines, "/proc/self/status", buffer, sizeof(buffer)))
        return false;
    for (char *line; (line = proc_lines_next(&lines));)
        for (unsigned i = 0; i < count; i++) {
            size_t length = strlen(keys[i]);
            if (strncmp(line, keys[i], length) == 0 && line[length] == ':')
                values[i] =
                    text_find_number(line, keys[i]) * (strstr(line + length, " kB") ? 1024 : 1);
        }
    proc_lines_close(&lines);
    return !lines.failed;
}
