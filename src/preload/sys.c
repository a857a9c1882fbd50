#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

void *sys_pages(size_t size_bytes)
{
    long at = sys_call6(SYS_mmap, 0, (long)size_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return sys_failed(at) ? NULL : (void *)at;
}

void sys_pages_free(void *pages, size_t size_bytes)
{
    sys_call2(SYS_munmap, (long)pages, (long)size_bytes);
}

long sys_open(const char *path, int flags, int mode)
{
    return sys_call4(SYS_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC, mode);
}

long sys_read(int fd, void *buffer, size_t size_bytes)
{
    long got;
    do
        got = sys_call3(SYS_read, fd, (long)buffer, (long)size_bytes);
    while (got == -EINTR);
    return got;
}

long sys_write_all(int fd, const void *bytes, size_t size_bytes)
{
    const char *at = bytes;
    while (size_bytes > 0) {
        long put = sys_call3(SYS_write, fd, (long)at, (long)size_bytes);
        if (put == -EINTR)
            continue;
        if (sys_failed(put))
            return put;
        if (put == 0)
            return -EIO;
        at += put;
        size_bytes -= (size_t)put;
    }
    return 0;
}

void sys_close(int fd)
{
    sys_call1(SYS_close, fd);
}

long sys_read_file(const char *path, char *buffer, size_t room_bytes)
{
    long fd = sys_open(path, O_RDONLY, 0);
    if (sys_failed(fd))
        return fd;
    size_t length = 0;
    long got = 0;
    while (length < room_bytes - 1 &&
           (got = sys_read((int)fd, buffer + length, room_bytes - 1 - length)) > 0)
        length += (size_t)got;
    sys_close((int)fd);
    buffer[length] = '\0';
    return got < 0 ? got : (long)length;
}

static uint64_t sys_clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now); /* the vDSO: no lock, no allocation */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t sys_time_ns(void)
{
    return sys_clock_ns(CLOCK_REALTIME);
}

uint64_t sys_uptime_ns(void)
{
    return sys_clock_ns(CLOCK_MONOTONIC);
}

int sys_pid(void)
{
    return (int)sys_call1(SYS_getpid, 0);
}

int sys_tid(void)
{
    return (int)sys_call1(SYS_gettid, 0);
}

void sys_say(const char *text)
{
    char line[512];
    size_t length = strnlen(text, sizeof(line) - 11);
    memcpy(line, "heapdiff: ", 10);
    memcpy(line + 10, text, length);
    line[10 + length] = '\n';
    sys_write_all(2, line, length + 11);
}
