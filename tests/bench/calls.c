/*
 * calls: the CPU ns of calls other than malloc and free.
 *
 *     calls realloc     a buffer that grows from 16 bytes to 64 KiB by doubling: ns a call
 *     calls calloc      calloc and free of 64 bytes: ns a pair
 *     calls aligned     posix_memalign and free of 256 bytes: ns a pair
 *     calls mmap        mmap and munmap of 64 KiB that nobody touches: ns a pair
 */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { GROWTH_STEPS = 13 };
enum { MAP_BYTES = 65536, BATCH = 200 * GROWTH_STEPS, BATCH_OF_SYSTEM_CALLS = 200 };

static void *volatile sink;

static void run_realloc(void *argument, long count)
{
    (void)argument;
    for (long i = 0; i < count; i += GROWTH_STEPS) {
        char *buffer = NULL;
        for (int step = 0; step < GROWTH_STEPS; step++) {
            buffer = realloc(buffer, (size_t)16 << step);
            sink = buffer;
        }
        free(buffer);
    }
}

static void run_calloc(void *argument, long count)
{
    (void)argument;
    for (long i = 0; i < count; i++) {
        sink = calloc(1, 64);
        free(sink);
    }
}

static void run_aligned(void *argument, long count)
{
    (void)argument;
    for (long i = 0; i < count; i++) {
        void *block = NULL;
        if (posix_memalign(&block, 256, 256) != 0)
            exit(1);
        sink = block;
        free(block);
    }
}

static void run_mmap(void *argument, long count)
{
    (void)argument;
    for (long i = 0; i < count; i++) {
        sink = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        munmap(sink, MAP_BYTES);
    }
}

static const struct {
    const char *name;
    work_fn *run;
    long batch;
} kinds[] = {
    {"realloc", run_realloc, BATCH},
    {"calloc", run_calloc, BATCH},
    {"aligned", run_aligned, BATCH},
    {"mmap", run_mmap, BATCH_OF_SYSTEM_CALLS},
};

int main(int count, char **arguments)
{
    /* What is mapped must not lie next to something that the kernel would merge it with, or not. */
    mmap(NULL, MAP_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; count == 2 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, arguments[1]) == 0) {
            printf("%.2f\n", measure_least_ns(kinds[i].run, NULL, kinds[i].batch));
            return 0;
        }
    }
    return 2;
}
