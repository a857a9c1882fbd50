/*
 * lap: runs a command and writes what it used, from a process so small that its own memory does not show
 * (the peak that the kernel reports for a child starts from that of the process which forked it).
 *
 *     lap FILE [NAME=VALUE ...] -- COMMAND ...     writes "CPU_NS PEAK_KIB WALL_NS", CPU of the command alone
 *
 * The variables are the command's only. The exit status is the command's.
 */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void become(char **arguments)
{
    for (; *arguments && strcmp(*arguments, "--") != 0; arguments++)
        putenv(*arguments);
    if (*arguments && arguments[1])
        execvp(arguments[1], arguments + 1);
    _exit(127);
}

static uint64_t time_ns(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

int main(int count, char **arguments)
{
    if (count < 4)
        return 2;
    struct rusage usage;
    int status;
    uint64_t start_ns = measure_clock_ns(CLOCK_MONOTONIC);
    pid_t child = fork();
    if (child == 0)
        become(arguments + 2);
    if (child < 0 || wait4(child, &status, 0, &usage) != child)
        return 126;
    uint64_t wall_ns = measure_clock_ns(CLOCK_MONOTONIC) - start_ns;
    FILE *file = fopen(arguments[1], "w");
    if (!file)
        return 126;
    fprintf(file, "%llu %ld %llu\n",
            (unsigned long long)(time_ns(usage.ru_utime) + time_ns(usage.ru_stime)),
            usage.ru_maxrss, (unsigned long long)wall_ns);
    fclose(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
