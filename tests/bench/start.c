/*
 * start: how long a program takes that does nothing, plain and with a preload, in turn; prints the ms of the
 * first and what the second takes more, by the wall clock and then in CPU time. Of each series, the time that a
 * tenth of the runs stays below: a busy machine makes most of them wait.
 *
 *     start TIMES PRELOAD [NAME=VALUE]
 */
#include "measure.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { TIMES_MAX = 10000, VARIABLE_MAX = 4096, VARIABLES = 4 };

struct series {
    double wall_ms[TIMES_MAX];
    double cpu_ms[TIMES_MAX];
};

static struct series plain, preloaded;

static double time_ms(struct timeval time)
{
    return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

static void spawn(struct series *series, int at, char **variables)
{
    static char program[] = "/bin/true";
    char *arguments[] = {program, NULL};
    struct rusage usage;
    pid_t child;
    int status;
    uint64_t start_ns = measure_clock_ns(CLOCK_MONOTONIC);
    if (posix_spawn(&child, program, NULL, NULL, arguments, variables) != 0 ||
        wait4(child, &status, 0, &usage) != child || status != 0)
        exit(1);
    series->wall_ms[at] = (double)(measure_clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e6;
    series->cpu_ms[at] = time_ms(usage.ru_utime) + time_ms(usage.ru_stime);
}

static int compare_ms(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

static double tenth(double *times_ms, int count)
{
    qsort(times_ms, (size_t)count, sizeof *times_ms, compare_ms);
    return times_ms[count / 10];
}

int main(int count, char **arguments)
{
    static char preload[VARIABLE_MAX];
    char *without[VARIABLES] = {NULL}, *with[VARIABLES] = {preload, NULL};
    int times = count >= 3 ? atoi(arguments[1]) : 0;
    if (times < 1 || times > TIMES_MAX)
        return 2;
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", arguments[2]);
    if (count > 3)
        with[1] = arguments[3];
    for (int i = 0; i < times; i++) {
        spawn(&plain, i, without);
        spawn(&preloaded, i, with);
    }
    double wall_ms = tenth(plain.wall_ms, times), cpu_ms = tenth(plain.cpu_ms, times);
    printf("%.3f %.3f %.3f %.3f\n", wall_ms, tenth(preloaded.wall_ms, times) - wall_ms, cpu_ms,
           tenth(preloaded.cpu_ms, times) - cpu_ms);
    return 0;
}
