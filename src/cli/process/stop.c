#include "stop.h"

#include "seizure.h"
#include "cli/ground/memory.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* ptrace(2) answers the thread alone that seized: all calls are its own. */
struct stop_tracer {
    pthread_t thread;
    sem_t asked, done; /* pair with each other: what is asked for, and that it has been done */
    sigset_t mask;     /* the caller's, before */
    struct seizure seizure;
    int spare;   /* asked for: the thread to let go on; 0: all */
    bool spared; /* it was there */
};

/* The tracing thread. Threads that do not stand cannot be detached: its end sets them free. */
static void *trace(void *argument)
{
    struct stop_tracer *tracer = argument;
    seizure_take(&tracer->seizure);
    sem_post(&tracer->done);
    while (!tracer->seizure.reason) {
        while (sem_wait(&tracer->asked) != 0)
            continue;
        if (tracer->spare == 0)
            break;
        tracer->spared = seizure_spare(&tracer->seizure, tracer->spare);
        sem_post(&tracer->done);
    }
    seizure_end(&tracer->seizure);
    return NULL;
}

static void ask(struct stop_tracer *tracer, int spare)
{
    tracer->spare = spare;
    sem_post(&tracer->asked);
}

static void wait_until_done(struct stop_tracer *tracer)
{
    while (sem_wait(&tracer->done) != 0)
        continue;
}

/* The tracing thread has ended, or ends now. */
static void end(struct stop *stop)
{
    struct stop_tracer *tracer = stop->tracer;
    pthread_join(tracer->thread, NULL);
    pthread_sigmask(SIG_SETMASK, &tracer->mask, NULL);
    sem_destroy(&tracer->asked);
    sem_destroy(&tracer->done);
    free(tracer);
    *stop = (struct stop){0};
}

/* Nobody else may stop us while the process waits for us; SIGSTOP cannot be put off. */
static void block_stops(sigset_t *before)
{
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTSTP);
    sigaddset(&stops, SIGTTIN);
    sigaddset(&stops, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &stops, before);
}

char *stop_all(struct stop *stop, int pid)
{
    struct stop_tracer *tracer = memory_zeroed(1, sizeof(*tracer));
    *stop = (struct stop){.tracer = tracer};
    tracer->seizure.pid = pid;
    sem_init(&tracer->asked, 0, 0);
    sem_init(&tracer->done, 0, 0);
    block_stops(&tracer->mask);
    int error = pthread_create(&tracer->thread, NULL, trace, tracer);
    if (error != 0) {
        pthread_sigmask(SIG_SETMASK, &tracer->mask, NULL);
        free(tracer);
        *stop = (struct stop){0};
        return memory_format("no thread to stop it: %s", strerror(error));
    }
    wait_until_done(tracer);
    char *reason = tracer->seizure.reason;
    if (reason) {
        end(stop);
        return reason;
    }
    stop->thread_count = seizure_standing(&tracer->seizure);
    stop->restless_count = tracer->seizure.count - stop->thread_count;
    return NULL;
}

bool stop_spare(struct stop *stop, int thread)
{
    if (!stop->tracer || thread <= 0)
        return false;
    ask(stop->tracer, thread);
    wait_until_done(stop->tracer);
    return stop->tracer->spared;
}

void stop_release(struct stop *stop)
{
    if (!stop->tracer)
        return;
    ask(stop->tracer, 0);
    end(stop);
}
