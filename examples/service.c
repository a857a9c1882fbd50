/*
 * service.c - a small service that leaks, to try heapdiff on without any other program.
 *
 * It serves made-up requests for ever. Each opens a session (given back), reads headers (given back)
 * and remembers its answer in a cache that nothing ever empties: the leak.
 *
 *     cc -g -O2 -o service examples/service.c
 *     LD_PRELOAD=build/src/preload/libheapdiff.so ./service &
 *     kill -USR1 $!; sleep 5; kill -USR1 $!; sleep 1
 *     build/src/cli/heapdiff --base service.$!.1.prof service.$!.2.prof
 *     kill $!
 *
 * The report names cache_remember(), and the line of its malloc().
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HEADERS = 8, BUCKETS = 1024 };

struct answer {
    struct answer *next;
    size_t size_bytes;
    char text[];
};

struct session {
    unsigned long number;
    char *headers[HEADERS];
};

static struct answer *cache[BUCKETS];

static struct session *session_open(unsigned long number)
{
    struct session *session = calloc(1, sizeof *session);

    if (!session)
        exit(1);
    session->number = number;
    for (int i = 0; i < HEADERS; i++)
        session->headers[i] = strdup("header: value");
    return session;
}

static void session_close(struct session *session)
{
    for (int i = 0; i < HEADERS; i++)
        free(session->headers[i]);
    free(session);
}

static void cache_remember(unsigned long number, const char *text)
{
    size_t size_bytes = strlen(text) + 1;
    struct answer *answer = malloc(sizeof *answer + size_bytes);

    if (!answer)
        exit(1);
    answer->size_bytes = size_bytes;
    memcpy(answer->text, text, size_bytes);
    answer->next = cache[number % BUCKETS];
    cache[number % BUCKETS] = answer;
}

static void request_serve(unsigned long number)
{
    struct session *session = session_open(number);
    char text[200];

    snprintf(text, sizeof text, "answer to request %lu: %0*d", number, (int)(number % 100), 0);
    cache_remember(number, text);
    session_close(session);
}

int main(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    for (unsigned long number = 0;; number++) {
        request_serve(number);
        nanosleep(&pause, NULL);
    }
}
