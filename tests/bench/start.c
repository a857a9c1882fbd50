/*
 * start: how long a program takes that does nothing, plain and with a preload, in turn; prints the medians of
 * both and of the differences of neighbours, in ms of wall time.
 *
 *     start TIMES PRELOAD [NAME=VALUE]
 */
#include "measure.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { TIMES_MAX = 10000, VARIABLE_MAX = 4096, VARIABLES = 4 };

struct series {
    double ms[TIMES_MAX];
};

static struct series plain, preloaded, added;

static double spawn_ms(char **variables)
{
    static char program[] = "/bin/true";
    char *arguments[] = {program, NULL};
    pid_t child;
    int status;
    uint64_t start_ns = measure_clock_ns(CLOCK_MONOTONIC);
    if (posix_spawn(&child, program, NULL, NULL, arguments, variables) != 0 ||
        waitpid(child, &status, 0) != child || status != 0)
        exit(1);
    return (double)(measure_clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e6;
}

static int compare_ms(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

static double series_median(struct series *series, int count)
{
    qsort(series->ms, (size_t)count, sizeof *series->ms, compare_ms);
    return series->ms[count / 2];
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
        plain.ms[i] = spawn_ms(without);
        preloaded.ms[i] = spawn_ms(with);
        added.ms[i] = preloaded.ms[i] - plain.ms[i];
    }
    printf("%.3f %.3f %.3f\n", series_median(&plain, times), series_median(&preloaded, times),
           series_median(&added, times));
    return 0;
}
