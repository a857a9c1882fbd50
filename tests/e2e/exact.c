/* exact MODE [THREADS]: a program whose resident memory changes all the time, until it is killed.
 *
 * busy     threads that fault pages in and give them back, allocate and free
 * quiet    threads that sleep, as long as they may: prints how many of their calls were interrupted
 * blocked  busy, and every thread blocks the snapshot signal
 * brief    busy for a moment, then exit */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { REGION_BYTES = 1 << 20, PAGE_BYTES = 4096, BLOCKS = 200, BRIEF_MS = 300, NAP_NS = 500000 };

static unsigned interrupted, rounds;

static void *churn(void *unused)
{
    unsigned char *region =
        mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *blocks[BLOCKS];
    if (region == MAP_FAILED)
        return unused;
    for (unsigned round = 1;; round++) {
        for (size_t at = 0; at < REGION_BYTES; at += PAGE_BYTES)
            region[at] = (unsigned char)round;
        for (int i = 0; i < BLOCKS; i++)
            blocks[i] = malloc((size_t)(round * 37 + (unsigned)i * 101) % 5000 + 1);
        madvise(region, REGION_BYTES, MADV_DONTNEED);
        for (int i = 0; i < BLOCKS; i++)
            free(blocks[i]);
        __atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED);
        if (round % 16 == 0)
            nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    }
    return NULL;
}

static void *rest(void *argument)
{
    static const struct timespec day = {.tv_sec = 86400};
    int result = (uintptr_t)argument % 2 ? nanosleep(&day, NULL) : poll(NULL, 0, 86400 * 1000);
    if (result != 0)
        __atomic_add_fetch(&interrupted, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void start(void *(*body)(void *), size_t count)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    for (size_t i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, body, (void *)i) != 0)
            _exit(3);
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "busy";
    size_t count = argc > 2 ? (size_t)atoi(argv[2]) : 8;
    sigset_t snapshot;
    sigemptyset(&snapshot);
    sigaddset(&snapshot, SIGUSR1);
    if (strcmp(mode, "blocked") == 0)
        pthread_sigmask(SIG_BLOCK, &snapshot, NULL);
    if (strcmp(mode, "quiet") == 0) { /* the signal itself is for the main thread */
        pthread_sigmask(SIG_BLOCK, &snapshot, NULL);
        start(rest, count);
        pthread_sigmask(SIG_UNBLOCK, &snapshot, NULL);
    } else {
        start(churn, count);
    }
    puts("ready");
    fflush(stdout);
    if (strcmp(mode, "brief") == 0) {
        nanosleep(&(struct timespec){.tv_nsec = BRIEF_MS * 1000000L}, NULL);
        return 0;
    }
    for (char line[16]; fgets(line, sizeof(line), stdin);) {
        printf("%u %u\n", __atomic_load_n(&interrupted, __ATOMIC_RELAXED),
               __atomic_load_n(&rounds, __ATOMIC_RELAXED));
        fflush(stdout);
    }
    return 0;
}
