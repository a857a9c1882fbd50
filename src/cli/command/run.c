#include "run.h"

#include "harvest.h"
#include "run_options.h"
#include "cli/ground/memory.h"
#include "cli/ground/message.h"
#include "cli/ground/moment.h"
#include "cli/ground/output.h"
#include "cli/process/name_pattern.h"
#include "cli/process/preload_path.h"
#include "cli/process/program.h"
#include "cli/process/watch.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What somebody may send to us and means the program. */
static const int forwarded_signals[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                        SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH};
enum { FORWARDED_COUNT = sizeof(forwarded_signals) / sizeof(forwarded_signals[0]) };

enum { TRACED_WAIT_NS = 1000000 };

static volatile pid_t child_pid; /* 0: not started yet, or ended */

/* A terminal's signals go to the whole foreground group: the child has them already. */
static void forward(int number, siginfo_t *info, void *context)
{
    int error = errno;
    (void)context;
    if (child_pid > 0 && info->si_code != SI_KERNEL)
        kill(child_pid, number);
    errno = error;
}

static void install_forwarding(sigset_t *installed)
{
    struct sigaction action = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(installed);
    sigfillset(&action.sa_mask);
    for (int i = 0; i < FORWARDED_COUNT; i++) {
        struct sigaction before;
        if (sigaction(forwarded_signals[i], NULL, &before) != 0 || before.sa_handler == SIG_IGN)
            continue; /* as under nohup: the child inherits it */
        sigaction(forwarded_signals[i], &action, NULL);
        sigaddset(installed, forwarded_signals[i]);
    }
}

/* Once the program has ended, what asks it to end asks us. */
static void end_forwarding(const sigset_t *installed)
{
    static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
        if (sigismember(installed, ending[i]))
            signal(ending[i], SIG_DFL);
}

/* posix_spawnp(), and the shell for a script without "#!", as execvp() and every shell have it. */
static int spawn_or_shell(pid_t *pid, char **command, const posix_spawnattr_t *attributes)
{
    int error = posix_spawnp(pid, command[0], NULL, attributes, command, environ);
    if (error != ENOEXEC)
        return error;
    size_t count = 0;
    while (command[count])
        count++;
    char **script = memory_zeroed(count + 2, sizeof(*script));
    char *path = program_find(command[0]), shell[] = "/bin/sh";
    script[0] = shell;
    script[1] = path;
    for (size_t i = 1; i < count; i++)
        script[i + 1] = command[i];
    if (path)
        error = posix_spawn(pid, shell, NULL, attributes, script, environ);
    free(path);
    free(script);
    return error;
}

/* Starts the command with the signals in `defaults` at their default. Its pid, or -errno. */
static int spawn(char **command, const sigset_t *defaults)
{
    posix_spawnattr_t attributes;
    sigset_t all, before;
    pid_t pid;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before); /* until child_pid is known */
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigdefault(&attributes, defaults);
    posix_spawnattr_setsigmask(&attributes, &before);
    int error = spawn_or_shell(&pid, command, &attributes);
    posix_spawnattr_destroy(&attributes);
    if (error == 0)
        child_pid = pid;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return error == 0 ? pid : -error;
}

/* Its stops are seen too while we trace it, whatever is waited for. */
static bool has_ended(pid_t pid)
{
    siginfo_t found = {0};
    if (waitid(P_PID, (id_t)pid, &found, WEXITED | WNOWAIT) != 0)
        return errno != EINTR;
    if (found.si_code != CLD_TRAPPED && found.si_code != CLD_STOPPED)
        return true;
    nanosleep(&(struct timespec){.tv_nsec = TRACED_WAIT_NS}, NULL);
    return false;
}

/* Its wait status. */
static int wait_for(pid_t pid, struct watch *watch)
{
    int status = 0;
    /* Not collected before it is no longer signalled: its pid stays its own. */
    while (!has_ended(pid))
        continue;
    child_pid = 0;
    watch_end(watch);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

/* Replaces a variable while the child is started; returns what it was, malloc'd or NULL. */
static char *swap_variable(const char *name, const char *value)
{
    const char *before = getenv(name);
    char *copy = before ? memory_format("%s", before) : NULL;
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
    return copy;
}

/* Its pid, or 0 after one line. */
static pid_t start(const struct run_options *options, const char *preload,
                   const sigset_t *installed)
{
    char *preload_before = swap_variable("LD_PRELOAD", preload);
    char *variable_before = swap_variable("HEAPDIFF", options->variable);
    pid_t pid = spawn(options->command, installed);
    free(swap_variable("LD_PRELOAD", preload_before));
    free(swap_variable("HEAPDIFF", variable_before));
    free(preload_before);
    free(variable_before);
    if (pid > 0)
        return pid;
    message_error(options->command[0], "%s", strerror(-pid));
    return 0;
}

static void gather(const struct run_options *options, uint64_t start_ns, pid_t pid)
{
    char *pattern = run_options_value(options, "out", "");
    char *box_directory = run_options_value(options, "blackbox", NULL);
    struct harvest harvest = {.variable = options->variable,
                              .pattern = pattern,
                              .box_directory =
                                  box_directory && *box_directory == '/' ? box_directory : NULL,
                              .start_ns = start_ns,
                              .pid = pid,
                              .symbols = options->symbols,
                              .quiet = options->quiet};
    harvest_gather(&harvest);
    if (options->exact && harvest.others > 0)
        message_note(
            "--exact is for the first process alone: %zu profile%s of others, whose threads "
            "were not stopped",
            harvest.others, harvest.others > 1 ? "s are" : " is");
    if (harvest.running > 0)
        message_note("%zu recorded process%s still run%s: later profiles will be without symbols",
                     harvest.running, harvest.running > 1 ? "es" : "",
                     harvest.running > 1 ? "" : "s");
    else if (harvest.profiles == 0)
        message_note("%s: no profile was written", options->command[0]);
    free(box_directory);
    free(pattern);
}

static bool can_watch(const struct run_options *options)
{
    char *box = run_options_value(options, "blackbox", NULL);
    bool off = box && strcmp(box, "off") == 0;
    free(box);
    if (options->exact && off)
        message_note(
            "--exact: the other threads are not stopped without a black box (blackbox=off)");
    return options->exact && !off;
}

static int run_command(const struct run_options *options, const char *preload)
{
    uint64_t start_ns = moment_now(CLOCK_REALTIME);
    sigset_t installed;
    install_forwarding(&installed);
    pid_t pid = start(options, preload, &installed);
    if (pid == 0)
        return 1;
    int status = wait_for(pid, can_watch(options) ? watch_start(pid) : NULL);
    end_forwarding(&installed);
    if (WIFSIGNALED(status))
        message_note("%s (pid %d) was killed by signal %d (%s)", options->command[0], (int)pid,
                     WTERMSIG(status), strsignal(WTERMSIG(status)));
    gather(options, start_ns, pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Says why the command cannot be recorded, if that is so. */
static bool check_command(const struct run_options *options)
{
    const char *command = options->command[0];
    char *path = program_find(command);
    if (!path)
        return message_error(command, "%s", errno == ENOENT ? "no such command" : strerror(errno));
    const char *refusal = program_refusal(program_check_file(path));
    free(path);
    if (!refusal || options->force)
        return true;
    return message_error(command, "%s (--force runs it all the same)", refusal);
}

/* What `pattern` names; malloc'd, or NULL for one with a field in it: the process fills that in. */
static char *fixed_name(const char *pattern)
{
    struct name_values none = {0};
    return name_pattern_is_fixed(pattern) ? name_pattern_expand(pattern, &none) : NULL;
}

/* False, after one line, for a name that cannot become a file's: a finished profile takes the place of
   what has its name, and that must not be a device. */
static bool check_name(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return errno == ENOENT || message_error(path, "cannot be written: %s", strerror(errno));
    if (S_ISDIR(status.st_mode))
        return message_error(path, "cannot be written: %s", strerror(EISDIR));
    return S_ISREG(status.st_mode) || message_error(path, "cannot be written: not a regular file");
}

/* Whether the profiles can be written where they shall be. */
static bool check_place(const struct run_options *options)
{
    char *pattern = run_options_value(options, "out", "./");
    char *path = fixed_name(pattern);
    char *slash = strrchr(pattern, '/');
    *(slash ? slash + 1 : pattern) = '\0';
    char *directory = fixed_name(pattern);
    bool good = true;
    if (directory && access(directory, W_OK | X_OK) != 0)
        good = message_error(directory, "no profiles can be written there: %s", strerror(errno));
    else if (path)
        good = check_name(path);
    free(directory);
    free(path);
    free(pattern);
    return good;
}

/* LD_PRELOAD for the command; malloc'd, or NULL after one line. */
static char *preload_of(const struct run_options *options)
{
    char *library = preload_path_library(), *allocator = NULL, *variable = NULL;
    if (library && options->allocator)
        allocator = preload_path_allocator(options->allocator);
    if (library && (allocator || !options->allocator))
        variable = preload_path_variable(library, allocator);
    free(allocator);
    free(library);
    return variable;
}

int command_run(int argc, char **argv)
{
    struct run_options options;
    int status = run_options_read(&options, argc, argv);
    if (status == 0) {
        char *preload =
            check_command(&options) && check_place(&options) ? preload_of(&options) : NULL;
        status = preload ? run_command(&options, preload) : 1;
        free(preload);
    } else if (status < 0) {
        status = output_finish_stdout() ? 0 : 1;
    }
    run_options_free(&options);
    return status;
}
