/*
 * sys.h - the kernel, called directly.
 *
 * What it is: raw system calls, returning the kernel's value (-errno on failure); errno, locks,
 *   cancellation points and interposed functions are not involved.
 * Owns: what stderr was, where our own mappings go.
 * Context: anywhere, also signal handlers and the first instruction after a fork.
 * Not here: policy. The instruction itself is in sys_x86_64.h and sys_aarch64.h.
 */
#ifndef HEAPDIFF_PRELOAD_SYS_H
#define HEAPDIFF_PRELOAD_SYS_H

#include "permit.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

#if defined(__x86_64__)
#include "sys_x86_64.h"
#elif defined(__aarch64__)
#include "sys_aarch64.h"
#else
#error "heapdiff runs on x86_64 and aarch64"
#endif

/* True when `result` of a raw call is an error, that is, in -4095..-1. */
static inline bool sys_failed(long result)
{
    return (unsigned long)result > -4096ul;
}

static inline long sys_call1(long number, long a)
{
    return sys_call6(number, a, 0, 0, 0, 0, 0);
}

static inline long sys_call2(long number, long a, long b)
{
    return sys_call6(number, a, b, 0, 0, 0, 0);
}

static inline long sys_call3(long number, long a, long b, long c)
{
    return sys_call6(number, a, b, c, 0, 0, 0);
}

static inline long sys_call4(long number, long a, long b, long c, long d)
{
    return sys_call6(number, a, b, c, d, 0, 0);
}

/* Zeroed private memory of `size_bytes` (rounded up to pages), or NULL. Never recorded. */
void *sys_pages(size_t size_bytes);
void sys_pages_free(void *pages, size_t size_bytes);

/* While the process ends sys_pages_free() leaves all to the kernel, which takes it back in one go. What it was before. */
bool sys_leave(bool now);

/* Where so many bytes have room to grow down from, not in a hole that our library has made; NULL: nowhere known. */
void *sys_roomy_place(size_t size_bytes);

/*
 * The program has mapped memory that grows down by itself: what we map later lies far below, not just where the kernel
 * would put it, with the least gap that keeps both apart for now.
 */
void sys_leave_room(const void *growing);

/* Where to map so many bytes, if they fit there; 0: anywhere. */
long sys_place(size_t size_bytes);

/* Of the kernel's headers, which not every libc brings along, or not the newest of them. */
enum {
    SYS_ADVICE_POPULATE = 23, /* MADV_POPULATE_WRITE */
    MEMBARRIER_EXPEDITED = 1 << 3,
    MEMBARRIER_REGISTER = 1 << 4,
    FUTEX_WAIT_OURS = 128, /* private to the process */
    FUTEX_WAKE_OURS = 129
};

/* Best effort: an older kernel, or a program's own filter, may have none of it. */
static inline void sys_advise(const void *pages, size_t size_bytes, int advice)
{
    if (permit_has(PERMIT_ADVICE))
        sys_call3(SYS_madvise, (long)pages, (long)size_bytes, advice);
}

/* sys_pages(), for who is about to touch all of them: one call is cheaper than a fault a page. */
static inline void *sys_pages_present(size_t size_bytes)
{
    void *pages = sys_pages(size_bytes);
    if (pages)
        sys_advise(pages, size_bytes, SYS_ADVICE_POPULATE);
    return pages;
}

/* Whether the aligned word around `address` can be read: asked of the kernel, now. */
bool sys_readable(uintptr_t address);

/* For files of /proc and the like: where something else is mounted a FIFO would keep us, a terminal become the
   program's. */
enum { SYS_OPEN_TO_READ = O_RDONLY | O_NONBLOCK | O_NOCTTY };

long sys_open(const char *path, int flags, int mode);
/* By a name in the directory that is open as `directory`; makes no file. */
long sys_open_below(int directory, const char *name, int flags);
long sys_read(int fd, void *buffer, size_t size_bytes);
/* Writes everything, continuing after short writes and EINTR; 0 or -errno. */
long sys_write_all(int fd, const void *bytes, size_t size_bytes);
void sys_close(int fd);

/* Reads a whole small file (of /proc) into `buffer`, NUL-terminated; its length, or -errno. */
long sys_read_file(const char *path, char *buffer, size_t room_bytes);

/* CLOCK_REALTIME and CLOCK_MONOTONIC, nanoseconds. */
uint64_t sys_time_ns(void);
uint64_t sys_uptime_ns(void);

int sys_pid(void);
int sys_tid(void);
/* Before PERMIT_NUMBERS is revoked: what sys_pid() says from then on. sys_tid() then tells threads that
   live at the same time apart, but not to the kernel. */
void sys_keep_pid(void);

/* One line "heapdiff: TEXT\n" on stderr, in one write; dropped when that would have to wait. */
void sys_say(const char *text);

/* From now on a descriptor 2 that is another file than now is the program's: no line goes there. */
void sys_say_init(void);

/* sys_write_all(), but a reader that has gone, or a file that is full, raises no signal. */
long sys_write_quietly(int fd, const void *bytes, size_t size_bytes);

/* Takes back a signal that a write of ours has raised while it was blocked, unless it was pending
   `before` (a kernel mask). */
void sys_drop_signal(int number, uint64_t before);

#endif
