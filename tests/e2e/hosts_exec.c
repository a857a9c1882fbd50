/*
 * hosts_exec.c - programs that start others: hosts_exec HOW PROGRAM.
 *
 * With SIGUSR1 ignored: starts PROGRAM by each way there is, which must inherit that. Or: an exec of PROGRAM
 * that fails late, among threads that allocate.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BEFORE = 5, AFTER = 6, TRIES = 20, THREAD_BLOCKS = 50000 };

static void *volatile sink;

__attribute__((noinline)) static void exec_site(int count)
{
    for (int i = 0; i < count; i++)
        sink = malloc(40);
    __asm__ volatile("");
}

__attribute__((noinline)) static void *thread_site(void *argument)
{
    for (int i = 0; i < THREAD_BLOCKS; i++)
        sink = malloc(16);
    __asm__ volatile("");
    return argument;
}

static int ended(pid_t child)
{
    int status = -1;

    waitpid(child, &status, 0);
    return status;
}

static int by_fork(char **command)
{
    pid_t child = fork();

    if (child == 0) {
        execv(command[0], command);
        _exit(9);
    }
    return ended(child);
}

static int by_vfork(char **command)
{
    pid_t child = vfork();

    if (child == 0) {
        execv(command[0], command);
        _exit(9);
    }
    return ended(child);
}

static int by_spawn(char **command)
{
    pid_t child = -1;

    return posix_spawn(&child, command[0], NULL, NULL, command, environ) ? 9 : ended(child);
}

static int by_spawnp(char **command)
{
    pid_t child = -1;

    return posix_spawnp(&child, command[0], NULL, NULL, command, environ) ? 9 : ended(child);
}

static int by_system(char **command)
{
    return system(command[0]);
}

static int by_popen(char **command)
{
    char line[80];
    FILE *stream = popen(command[0], "r");

    if (!stream)
        return 9;
    while (fgets(line, sizeof line, stream))
        fputs(line, stdout);
    return pclose(stream);
}

static int run_ignoring(char **command)
{
    static int (*const ways[])(char **) = {by_fork,   by_vfork,  by_spawn,
                                           by_spawnp, by_system, by_popen};
    struct sigaction now;

    signal(SIGUSR1, SIG_IGN);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        printf("%zu: %x\n", i, (unsigned)ways[i](command));
        fflush(stdout);
    }
    sigaction(SIGUSR1, NULL, &now);
    printf("ignored %d\n", now.sa_handler == SIG_IGN);
    fflush(stdout);
    return raise(SIGUSR1);
}

/* The file is executable, but not for the kernel. */
static int run_failing(char **command)
{
    pthread_t thread;

    exec_site(BEFORE);
    pthread_create(&thread, NULL, thread_site, NULL);
    for (int i = 0; i < TRIES; i++) {
        execv(command[0], command);
        if (errno != ENOEXEC)
            return 1;
    }
    pthread_join(thread, NULL);
    exec_site(AFTER);
    return 0;
}

/* What a child of run_ignoring() is. */
static int run_child(void)
{
    fputs("child\n", stdout);
    fflush(stdout);
    return raise(SIGUSR1); /* kills, where it is not ignored */
}

int main(int count, char **arguments)
{
    if (count > 2 && strcmp(arguments[1], "ignoring") == 0)
        return run_ignoring(arguments + 2);
    if (count > 2 && strcmp(arguments[1], "failing") == 0)
        return run_failing(arguments + 2);
    return run_child();
}
