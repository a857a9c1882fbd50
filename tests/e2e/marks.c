/* Programs whose every figure at every mark is known: marks NAME. Snapshots go to the directory that it
   is started in. */
#include "heapdiff.h"

#include "shapes.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 10, THREADS = 8 };

static void *volatile held[64 * LEAKS];
static unsigned held_count;

__attribute__((noinline)) static void leak_site(unsigned count)
{
    while (count-- > 0)
        held[held_count++] = malloc(BLOCK_BYTES);
}

static void run_leak(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        leak_site(LEAKS);
        plateau_site(round);
        sawtooth_site(round);
        heapdiff_mark_collection("round");
    }
}

/* Each thread holds at most 256 blocks of ever other sizes, and frees those of its neighbours too. */
static void *volatile shared[THREADS * 256];
static bool stop;

__attribute__((noinline)) static void *thread_site(size_t bytes)
{
    return malloc(bytes);
}

static void *allocate(void *argument)
{
    unsigned seed = 1 + (unsigned)(size_t)argument;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        unsigned at = (unsigned)rand_r(&seed);
        void *fresh = at & 1 ? thread_site(16 + at % 5000) : NULL;
        free(__atomic_exchange_n(&shared[(at >> 4) % (THREADS * 256)], fresh, __ATOMIC_ACQ_REL));
    }
    return NULL;
}

static void run_threads(void)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, allocate, (void *)i);
    for (int mark = 0; mark < 400; mark++) {
        char name[32];
        usleep(1000);
        heapdiff_mark_collection("tick");
        snprintf(name, sizeof(name), "busy.%d.prof", mark);
        if (mark % 40 == 20)
            heapdiff_snapshot(name);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    heapdiff_snapshot("still.prof");
    heapdiff_mark_collection("end");
    for (int i = 0; i < THREADS * 256; i++)
        free(shared[i]);
}

/* 2000 blocks and a mark, 500 more; the child frees 300 old ones and makes 100; the parent makes 200. */
static void run_fork(void)
{
    leak_site(2000);
    heapdiff_mark_collection("before");
    leak_site(500);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 300; i++)
            free(held[i]);
        leak_site(100);
        heapdiff_snapshot("child.prof");
        heapdiff_mark_collection("child");
        heapdiff_snapshot("child-later.prof");
        _exit(0);
    }
    leak_site(200);
    waitpid(child, NULL, 0);
}

static unsigned handled, deferred;

static void on_alarm(int signal)
{
    (void)signal;
    if (heapdiff_mark_collection("alarm") == 0)
        handled++;
    else
        deferred++;
}

static void run_handler(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    const struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    time_t end = time(NULL) + 2;
    while (time(NULL) < end) {
        unsigned first = held_count;
        leak_site(1000);
        while (held_count > first + 10)
            free(held[--held_count]);
        if (held_count > 32 * LEAKS)
            while (held_count > 0)
                free(held[--held_count]);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    free(malloc(1)); /* what was put off is done by now */
    printf("%u %u\n", handled, deferred);
}

static void *volatile grown[2];

__attribute__((noinline)) static void grow_site(int i, size_t bytes)
{
    grown[i] = realloc(grown[i], bytes);
}

static void run_realloc(void)
{
    grow_site(0, 1000);
    grow_site(1, 700);
    heapdiff_mark_collection(NULL);
    grow_site(0, 3000);
    heapdiff_snapshot("grown.prof");
}

/* One block of each size is born in each epoch; none ever goes. */
__attribute__((noinline)) static void age_site(size_t bytes)
{
    held[held_count++] = malloc(bytes);
}

__attribute__((noinline)) static void *map_site(size_t bytes)
{
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0);
}

static void run_ages(void)
{
    static const int moments[] = {1, 7, 8, 14, 15, 16, 22, 23, 40};
    unsigned next = 0;
    for (int epoch = 0; epoch <= 40; epoch++) {
        age_site(40);
        age_site(3000);
        age_site((size_t)100 << 20); /* more than 26 bits; never touched */
        map_site(1 << 16);
        if (epoch == moments[next]) {
            char name[32];
            snprintf(name, sizeof(name), "age.%d.prof", moments[next++]);
            heapdiff_snapshot(name);
        }
        heapdiff_mark_collection(NULL);
    }
}

/* mremap: what grows is new, what is moved stays as old as it was. */
static void run_remap(void)
{
    char *map = map_site(1 << 20);
    heapdiff_mark_collection(NULL);
    map = mremap(map, 1 << 20, 3 << 20, MREMAP_MAYMOVE);
    munmap(map, 1 << 16);
    heapdiff_snapshot("remap.prof");
}

static void run_ring(void)
{
    for (int i = 1; i <= 100; i++) {
        char reason[100];
        snprintf(reason, sizeof(reason),
                 "mark %d, and much more is said of it than there is room for", i);
        heapdiff_mark_collection(reason);
    }
}

static void run_trim(void)
{
    for (int i = 0; i < 20000; i++)
        memset(held[i] = malloc(1000), 1, 1000);
    for (int i = 0; i < 20000 - 1; i++)
        free(held[i]);
    malloc_trim(0);
}

static volatile int heard;

static void on_signal(int signal)
{
    (void)signal;
    heard++;
}

/* A mark, then the program's own, then a mark again. */
static void run_signal(void)
{
    struct sigaction now;
    sigaction(SIGUSR2, NULL, &now);
    printf("%d", now.sa_handler == SIG_DFL);
    raise(SIGUSR2);
    signal(SIGUSR2, on_signal);
    raise(SIGUSR2);
    signal(SIGUSR2, SIG_IGN);
    raise(SIGUSR2);
    printf("%d", signal(SIGUSR2, SIG_DFL) == SIG_IGN);
    raise(SIGUSR2);
    printf(" %d\n", heard);
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } all[] = {{"leak", run_leak},       {"threads", run_threads}, {"fork", run_fork},
               {"handler", run_handler}, {"realloc", run_realloc}, {"ages", run_ages},
               {"ring", run_ring},       {"trim", run_trim},       {"signal", run_signal},
               {"remap", run_remap}};
    for (size_t i = 0; count > 1 && i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(arguments[1], all[i].name) == 0) {
            all[i].run();
            return 0;
        }
    return 2;
}
