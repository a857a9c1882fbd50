/* What ends a process, or replaces its program. */
#include "hook.h"

#include "listener.h"
#include "process.h"
#include "preload/ground/permit.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"
#include "preload/tables/site.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

enum { EXEC_ARGUMENTS_MAX = 1024 }; /* of execl and its kin: they are written out in source */

extern char **environ;

/* By the effective ids, as exec asks; kernels before 5.8 know the real ones only. */
static bool is_executable(int directory, const char *path)
{
    if (!permit_has(PERMIT_FILES))
        return true; /* it cannot be asked, and does not matter */
    long result = sys_call4(SYS_faccessat2, directory, (long)path, X_OK, AT_EACCESS);
    if (result == -ENOSYS)
        result = sys_call3(SYS_faccessat, directory, (long)path, X_OK);
    return !sys_failed(result);
}

/* Whether execvp would find something to run; PATH as it does it. */
static bool is_on_path(const char *file)
{
    char path[PATH_MAX];
    const char *at = getenv("PATH");
    if (strchr(file, '/'))
        return is_executable(AT_FDCWD, file);
    if (!at)
        at = "/bin:/usr/bin"; /* as libc has it */
    for (;; at++) {
        size_t length = strcspn(at, ":");
        struct text text = text_on(path, sizeof(path));
        text_put_bytes(&text, at, length);
        text_put(&text, length > 0 ? "/" : "./");
        text_put(&text, file);
        if (!text.cut && is_executable(AT_FDCWD, path))
            return true;
        at += length;
        if (*at == '\0')
            return false;
    }
}

/* The program is about to be replaced: its last word now, for exec does not come back. A forked child
   that has recorded nothing has none: what it inherited is in its parent's profiles. */
static void before_exec(bool will_run)
{
    if (!will_run)
        return;
    process_exec();
    listener_exec();
}

static int after_failed_exec(int result)
{
    int error = errno;
    listener_exec_failed();
    process_exec_failed();
    errno = error;
    return result;
}

HOOK int execve(const char *path, char *const *arguments, char *const *environment)
{
    real_resolve();
    before_exec(is_executable(AT_FDCWD, path));
    return after_failed_exec(real.execve(path, arguments, environment));
}

HOOK int execv(const char *path, char *const *arguments)
{
    return execve(path, arguments, environ);
}

HOOK int execvp(const char *file, char *const *arguments)
{
    real_resolve();
    before_exec(is_on_path(file));
    return after_failed_exec(real.execvp(file, arguments));
}

HOOK int execvpe(const char *file, char *const *arguments, char *const *environment)
{
    real_resolve();
    before_exec(is_on_path(file));
    return after_failed_exec(real.execvpe(file, arguments, environment));
}

HOOK int fexecve(int fd, char *const *arguments, char *const *environment)
{
    real_resolve();
    before_exec(true);
    return after_failed_exec(real.fexecve(fd, arguments, environment));
}

HOOK int execveat(int directory, const char *path, char *const *arguments, char *const *environment,
                  int flags)
{
    real_resolve();
    if (!real.execveat) {
        errno = ENOSYS;
        return -1;
    }
    before_exec(flags & AT_EMPTY_PATH || is_executable(directory, path));
    return after_failed_exec(real.execveat(directory, path, arguments, environment, flags));
}

/* Collects the arguments of execl and its kin; `more` stands at the first after `first`. */
static bool collect(const char **arguments, const char *first, va_list *more)
{
    size_t count = 0;
    for (const char *at = first;; at = va_arg(*more, const char *)) {
        if (count == EXEC_ARGUMENTS_MAX) {
            errno = E2BIG;
            return false;
        }
        arguments[count++] = at;
        if (!at)
            return true;
    }
}

HOOK int execl(const char *path, const char *first, ...)
{
    const char *arguments[EXEC_ARGUMENTS_MAX];
    va_list more;
    va_start(more, first);
    bool fits = collect(arguments, first, &more);
    va_end(more);
    return fits ? execve(path, (char *const *)arguments, environ) : -1;
}

HOOK int execlp(const char *file, const char *first, ...)
{
    const char *arguments[EXEC_ARGUMENTS_MAX];
    va_list more;
    va_start(more, first);
    bool fits = collect(arguments, first, &more);
    va_end(more);
    return fits ? execvp(file, (char *const *)arguments) : -1;
}

HOOK int execle(const char *path, const char *first, ...)
{
    const char *arguments[EXEC_ARGUMENTS_MAX];
    char *const *environment = NULL;
    va_list more;
    va_start(more, first);
    bool fits = collect(arguments, first, &more);
    if (fits)
        environment = va_arg(more, char *const *);
    va_end(more);
    return fits ? execve(path, (char *const *)arguments, environment) : -1;
}

/* What a program ignores the programs it starts ignore too: no handler of ours may stand there then. */
static unsigned before_spawn(void)
{
    real_resolve();
    guard_notice(); /* a forked child's first event: another thread may have held the lock */
    return listener_spawn();
}

static void after_spawn(unsigned ignored)
{
    if (ignored)
        listener_spawned(ignored);
}

HOOK int posix_spawn(pid_t *child, const char *path, const posix_spawn_file_actions_t *actions,
                     const posix_spawnattr_t *attributes, char *const *arguments,
                     char *const *environment)
{
    unsigned ignored = before_spawn();
    int result = real.posix_spawn(child, path, actions, attributes, arguments, environment);
    after_spawn(ignored);
    return result;
}

HOOK int posix_spawnp(pid_t *child, const char *file, const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, char *const *arguments,
                      char *const *environment)
{
    unsigned ignored = before_spawn();
    int result = real.posix_spawnp(child, file, actions, attributes, arguments, environment);
    after_spawn(ignored);
    return result;
}

HOOK int system(const char *command)
{
    unsigned ignored = before_spawn();
    int result = real.system(command);
    int error = errno;
    after_spawn(ignored);
    errno = error;
    return result;
}

struct _IO_FILE *popen(const char *command, const char *mode);

HOOK struct _IO_FILE *popen(const char *command, const char *mode)
{
    unsigned ignored = before_spawn();
    struct _IO_FILE *stream = real.popen(command, mode);
    int error = errno;
    after_spawn(ignored);
    errno = error;
    return stream;
}

HOOK void _exit(int status)
{
    process_finish("exit");
    if (real_resolve())
        real._exit(status);
    for (;;)
        sys_call1(SYS_exit_group, status);
}

HOOK void _Exit(int status)
{
    _exit(status);
}

HOOK void quick_exit(int status)
{
    real_resolve();
    process_finish("exit");
    real.quick_exit(status);
    __builtin_unreachable();
}

/* fork without the handlers of pthread_atfork: for handlers of signals, and so in the middle of events. */
HOOK pid_t _Fork(void)
{
    real_resolve();
    pid_t child = real._Fork ? real._Fork() : fork();
    if (child == 0)
        process_forked_quietly();
    return child;
}

/* The null device, and nothing that somebody has put in its place. */
static bool open_null(void)
{
    struct stat device;
    int fd = open("/dev/null", O_RDWR);
    if (fd < 0)
        return false;
    bool is_null =
        fstat(fd, &device) == 0 && S_ISCHR(device.st_mode) && device.st_rdev == makedev(1, 3);
    if (!is_null)
        errno = ENODEV;
    for (int i = 0; is_null && i < 3; i++)
        is_null = dup2(fd, i) == i;
    if (fd > 2)
        close(fd);
    return is_null;
}

/* daemon(3) of libc forks and ends the parent where no hook sees it: done here, by the same steps. */
HOOK int daemon(int no_chdir, int no_close)
{
    pid_t child = fork();
    if (child < 0)
        return -1;
    if (child > 0)
        _exit(0);
    if (setsid() < 0)
        return -1;
    if (!no_chdir && chdir("/") != 0)
        return -1;
    return no_close || open_null() ? 0 : -1;
}
