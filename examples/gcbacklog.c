/*
 * The backlog of go/backlog.go on the Boehm collector: a service that takes in more and more, and then answers requests,
 * each of which makes some garbage. The story is in README.md.
 *
 *     cc -O2 -g gcbacklog.c -o gcbacklog -lgc
 *     gcbacklog [--pointers | --atomic | --offheap] [--mib N] [--seconds S]
 *
 * --pointers keeps each record as an object that points at the one before it, --atomic keeps them in arrays of numbers
 * that the collector need not look into (GC_MALLOC_ATOMIC), --offheap in memory that it does not know of (mmap). It
 * takes in N MiB (400), rests until a second has passed, and answers requests for S seconds (10). A machine of 4 GiB has
 * room for that; the table itself doubles nothing.
 */
#include <gc.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { RECORD_BYTES = 64, CHUNK_BYTES = 1 << 20, REQUEST_BYTES = 4096, REQUESTS_A_LOOK = 64 };
enum { MIB_MAX = 2048 };

struct record {
    struct record *before;
    int64_t fields[6]; /* the collector adds a byte, and rounds up to RECORD_BYTES */
};

/* What the service holds, in one of three ways. */
struct table {
    struct record *last;
    char *chunks[MIB_MAX];
    size_t chunk_count;
    int64_t count;
};

static struct table table;

static void take_pointers(void)
{
    for (int i = 0; i < CHUNK_BYTES / RECORD_BYTES; i++) {
        struct record *record = GC_MALLOC(sizeof(*record));
        record->before = table.last;
        record->fields[0] = table.count++;
        table.last = record;
    }
}

static void fill(char *chunk)
{
    for (int i = 0; i < CHUNK_BYTES; i += RECORD_BYTES)
        memcpy(chunk + i, &table.count, sizeof(table.count)), table.count++;
    table.chunks[table.chunk_count++] = chunk;
}

static void take_atomic(void)
{
    fill(GC_MALLOC_ATOMIC(CHUNK_BYTES));
}

static void take_off_heap(void)
{
    char *chunk =
        mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (chunk == MAP_FAILED)
        exit(1);
    fill(chunk);
}

/* What a request needs for as long as it takes. */
static void answer(void)
{
    char *volatile buffer = GC_MALLOC_ATOMIC(REQUEST_BYTES);
    buffer[0] = 1;
    void **volatile list = GC_MALLOC(REQUEST_BYTES / 8);
    list[0] = buffer;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double stop_start, stopped, longest;

static void on_event(GC_EventType event)
{
    if (event == GC_EVENT_PRE_STOP_WORLD)
        stop_start = now();
    if (event != GC_EVENT_POST_START_WORLD)
        return;
    double pause = now() - stop_start;
    stopped += pause;
    longest = pause > longest ? pause : longest;
}

static long number_of(const char *text, long most)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || *end || number < 1 || number > most) {
        fprintf(stderr, "gcbacklog: %s is not between 1 and %ld\n", text, most);
        exit(2);
    }
    return number;
}

int main(int count, char **arguments)
{
    void (*take)(void) = take_pointers;
    long mib = 400, seconds = 10, requests = 0;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--pointers") == 0) {
            take = take_pointers;
        } else if (strcmp(arguments[i], "--atomic") == 0) {
            take = take_atomic;
        } else if (strcmp(arguments[i], "--offheap") == 0) {
            take = take_off_heap;
        } else if (strcmp(arguments[i], "--mib") == 0 && i + 1 < count) {
            mib = number_of(arguments[++i], MIB_MAX);
        } else if (strcmp(arguments[i], "--seconds") == 0 && i + 1 < count) {
            seconds = number_of(arguments[++i], 3600);
        } else {
            fprintf(
                stderr,
                "usage: gcbacklog [--pointers | --atomic | --offheap] [--mib N] [--seconds S]\n");
            return 2;
        }
    }
    GC_INIT();
    GC_set_on_collection_event(on_event);
    for (long i = 0; i < mib; i++)
        take();
    printf("holding %lld records, pid %d\n", (long long)table.count, (int)getpid());
    fflush(stdout);
    sleep(1);
    stopped = longest = 0;
    long first = (long)GC_get_gc_no();
    double start = now(), end = start + (double)seconds;
    for (; now() < end; requests += REQUESTS_A_LOOK)
        for (int i = 0; i < REQUESTS_A_LOOK; i++)
            answer();
    printf("%ld requests, %ld collections, stopped %.1f %% of the time, %.1f ms at most\n",
           requests, (long)GC_get_gc_no() - first, 100 * stopped / (now() - start), 1e3 * longest);
    return 0;
}
