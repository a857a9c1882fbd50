/*
 * idle.c - a program that frees nothing at all, and then does nothing.
 *
 *     idle PREFIX ROUNDS     says how many of the profiles PREFIX.1.prof and on were late: those that a
 *                            signal asks for while the program has no event
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { MS = 1000000, WAIT_MS = 3 };

static pthread_t main_thread;
static volatile bool stop;

static void pause_ms(long ms)
{
    struct timespec span = {0, ms * MS};
    nanosleep(&span, NULL);
}

static void *ask(void *unused)
{
    pause_ms(1);
    pthread_kill(main_thread, SIGUSR1);
    pause_ms(1);
    stop = true;
    return unused;
}

/* Whether the profile is there before the program's next event. */
static bool is_written(const char *prefix, int number)
{
    char name[4096];
    pthread_t asking;
    void *volatile nothing = NULL;
    stop = false;
    if (pthread_create(&asking, NULL, ask, NULL) != 0)
        return false;
    while (!stop)
        free(nothing);
    pause_ms(WAIT_MS);
    snprintf(name, sizeof(name), "%s.%d.prof", prefix, number);
    bool written = access(name, F_OK) == 0;
    pthread_join(asking, NULL);
    free(malloc(1));
    return written;
}

int main(int count, char **arguments)
{
    int late = 0, rounds = count > 2 ? atoi(arguments[2]) : 0;
    main_thread = pthread_self();
    free(malloc(1));
    for (int i = 1; i <= rounds; i++)
        late += !is_written(arguments[1], i);
    printf("%d late\n", late);
    return 0;
}
