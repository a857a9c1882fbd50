#include "sys.h"

#include "own.h"
#include "permit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

/* What stderr was at start-up. */
static struct {
    bool known;
    bool open;
    uint64_t device;
    uint64_t inode;
} said;

/* As much as a stack may grow by in any program that we have met: RLIMIT_STACK is 8 MiB mostly. */
#define ROOM_BYTES (64ull << 20)

static uint64_t room_end; /* below it lies what we map from then on; 0: anywhere. atomic, relaxed */

void *sys_roomy_place(size_t size_bytes)
{
    if (!permit_has(PERMIT_PAGES))
        return NULL;
    long at = sys_call6(SYS_mmap, 0, (long)(size_bytes + ROOM_BYTES), PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (sys_failed(at))
        return NULL;
    sys_call2(SYS_munmap, at, (long)(size_bytes + ROOM_BYTES));
    return (void *)(at + (long)ROOM_BYTES);
}

void sys_leave_room(const void *growing)
{
    uint64_t end = (uint64_t)growing - ROOM_BYTES, before = room_end;
    if ((uint64_t)growing < 2 * ROOM_BYTES)
        return;
    while ((before == 0 || end < before) &&
           !__atomic_compare_exchange_n(&room_end, &before, end, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED)) {
    }
}

long sys_place(size_t size_bytes)
{
    if (__atomic_load_n(&room_end, __ATOMIC_RELAXED) == 0)
        return 0;
    uint64_t page = getauxval(AT_PAGESZ), bytes = (size_bytes + page - 1) & -page;
    return (long)__atomic_sub_fetch(&room_end, bytes, __ATOMIC_RELAXED);
}

/* What one thread gives back another may be given: the kernel orders that, and this says so to tools that cannot see it. */
static uint32_t given_back;

void *sys_pages(size_t size_bytes)
{
    if (!permit_has(PERMIT_PAGES))
        return NULL;
    long at = sys_call6(SYS_mmap, sys_place(size_bytes), (long)size_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (sys_failed(at))
        return NULL;
    __atomic_load_n(&given_back, __ATOMIC_ACQUIRE); /* pairs: sys_pages_free() */
    own_add((void *)at, size_bytes);
    return (void *)at;
}

static bool leaving; /* atomic */

bool sys_leave(bool now)
{
    return __atomic_exchange_n(&leaving, now, __ATOMIC_RELAXED);
}

void sys_pages_free(void *pages, size_t size_bytes)
{
    if (__atomic_load_n(&leaving, __ATOMIC_RELAXED))
        return;
    own_remove(pages, size_bytes); /* before another thread can be given the same addresses */
    __atomic_fetch_add(&given_back, 1, __ATOMIC_RELEASE); /* pairs: sys_pages() */
    sys_call2(SYS_munmap, (long)pages, (long)size_bytes);
}

/* 0 to 2 stay closed where the program has closed them: its other threads write there unasked. */
static long above_standard(long fd)
{
    if (sys_failed(fd) || fd > 2)
        return fd;
    long above = sys_call3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
    sys_close((int)fd);
    return above;
}

bool sys_readable(uintptr_t address)
{
    /* The kernel copies the new mask in before it finds that `how` makes no sense, and nearly every
       seccomp filter lets this call pass. */
    enum { HOW_INVALID = 0x7fff, KERNEL_MASK_BYTES = 8 };
    uintptr_t word = address & ~(uintptr_t)7;
    if (!permit_has(PERMIT_SIGNALS))
        return false;
    return sys_call4(SYS_rt_sigprocmask, HOW_INVALID, (long)word, 0, KERNEL_MASK_BYTES) != -EFAULT;
}

long sys_open(const char *path, int flags, int mode)
{
    if (!permit_has(PERMIT_FILES))
        return -EPERM;
    return above_standard(sys_call4(SYS_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC, mode));
}

long sys_open_below(int directory, const char *name, int flags)
{
    if (!permit_has(PERMIT_FILES))
        return -EPERM;
    return above_standard(sys_call4(SYS_openat, directory, (long)name, flags | O_CLOEXEC, 0));
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
    long fd = sys_open(path, SYS_OPEN_TO_READ, 0);
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

static int kept_pid;

void sys_keep_pid(void)
{
    kept_pid = sys_pid();
}

int sys_pid(void)
{
    return permit_has(PERMIT_NUMBERS) ? (int)sys_call1(SYS_getpid, 0) : kept_pid;
}

int sys_tid(void)
{
    if (!permit_has(PERMIT_NUMBERS)) /* unlike any number that the kernel gives */
        return (int)((uint32_t)((uintptr_t)__builtin_thread_pointer() >> 6) | 1u << 31);
    return (int)sys_call1(SYS_gettid, 0);
}

void sys_say_init(void)
{
    struct stat now;
    said.known = true;
    said.open = !sys_failed(sys_call2(SYS_fstat, 2, (long)&now));
    said.device = now.st_dev;
    said.inode = now.st_ino;
}

/* Whether a line may be written: stderr is still what it was, and would not make the program wait. */
static bool may_say(void)
{
    struct stat now;
    struct pollfd stream = {.fd = 2, .events = POLLOUT};
    if (said.known && (!said.open || sys_failed(sys_call2(SYS_fstat, 2, (long)&now)) ||
                       now.st_dev != said.device || now.st_ino != said.inode))
        return false;
    struct timespec at_once = {0};
    long ready = sys_call6(SYS_ppoll, (long)&stream, 1, (long)&at_once, 0, 0, 0);
    return sys_failed(ready) || stream.revents & POLLOUT;
}

void sys_drop_signal(int number, uint64_t before)
{
    static const struct timespec now;
    uint64_t set = 1ull << (number - 1);
    if (!(before & set))
        sys_call4(SYS_rt_sigtimedwait, (long)&set, 0, (long)&now, sizeof(set));
}

long sys_write_quietly(int fd, const void *bytes, size_t size_bytes)
{
    uint64_t all = ~0ull, mask, pending = 0;
    sys_call4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&mask, sizeof(all));
    sys_call2(SYS_rt_sigpending, (long)&pending, sizeof(pending));
    long result = sys_write_all(fd, bytes, size_bytes);
    if (result == -EPIPE)
        sys_drop_signal(SIGPIPE, pending);
    else if (result == -EFBIG)
        sys_drop_signal(SIGXFSZ, pending);
    sys_call4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, sizeof(mask));
    return result;
}

void sys_say(const char *text)
{
    char line[512];
    size_t length = strnlen(text, sizeof(line) - 11);
    if (!permit_has(PERMIT_LINES) || !may_say())
        return;
    memcpy(line, "heapdiff: ", 10);
    memcpy(line + 10, text, length);
    line[10 + length] = '\n';
    sys_write_quietly(2, line, length + 11);
}
