/*
 * A collector as many are: it stops all other threads by a signal, wherever they are, and maps memory while they stand.
 * The others allocate, free, map and unmap, on ever new stacks.
 *
 * Usage: stopped ROUNDS [semaphore]. Prints how many there were.
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { THREADS = 4, DEPTH = 14, MAP_BYTES = 1 << 16, MAPS = 3 };

static sem_t stopped;
static volatile sig_atomic_t stops, ended_stops;
static volatile int ends;
static int by_semaphore;
static sem_t go[THREADS];
static __thread int self;
static void *volatile kept[THREADS + 1];

static void stop(int number)
{
    sigset_t others;
    sig_atomic_t mine = stops;
    (void)number;
    sigfillset(&others);
    sigdelset(&others, SIGRTMIN + 1);
    sem_post(&stopped);
    while (by_semaphore && sem_wait(&go[self]) != 0)
        ;
    while (!by_semaphore && ended_stops < mine)
        sigsuspend(&others);
}

static void go_on(int number)
{
    (void)number;
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void map(void)
{
    volatile char *memory =
        mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory[0] = 1;
    munmap((void *)(uintptr_t)memory, MAP_BYTES);
}

static void work(uint32_t path, int thread);
static void left(uint32_t path, int thread);
static void right(uint32_t path, int thread);

/* Which way the calls have come is the stack: there are 2^DEPTH. */
static void work(uint32_t path, int thread)
{
    if (path > 1) {
        (path & 1 ? left : right)(path >> 1, thread);
        return;
    }
    if (thread < THREADS) {
        void *block = malloc(48);
        kept[thread] = block;
        free(block);
    }
    map();
}

static void left(uint32_t path, int thread)
{
    work(path, thread);
    kept[thread] = NULL;
}

static void right(uint32_t path, int thread)
{
    work(path, thread);
    kept[thread] = NULL;
}

static void *run(void *number)
{
    uint32_t seed = 12345u * (uint32_t)(uintptr_t)number;
    self = (int)(uintptr_t)number - 1;
    sem_post(&stopped);
    while (!ends)
        work(1u << DEPTH | next(&seed) % (1u << DEPTH), self);
    return NULL;
}

static void wait_for_all(void)
{
    for (int i = 0; i < THREADS; i++)
        while (sem_wait(&stopped) != 0)
            ;
}

static void collect(const pthread_t *threads, uint32_t *seed)
{
    stops++;
    for (int i = 0; i < THREADS; i++)
        pthread_kill(threads[i], SIGRTMIN);
    wait_for_all();
    for (int i = 0; i < MAPS; i++)
        work(1u << DEPTH | next(seed) % (1u << DEPTH),
             THREADS); /* no malloc(): whose lock is whose? */
    ended_stops = stops;
    for (int i = 0; i < THREADS; i++)
        by_semaphore ? sem_post(&go[i]) : pthread_kill(threads[i], SIGRTMIN + 1);
}

int main(int count, char **arguments)
{
    int rounds = count > 1 ? atoi(arguments[1]) : 1000;
    pthread_t threads[THREADS];
    uint32_t seed = 1;
    struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    by_semaphore = count > 2;
    sem_init(&stopped, 0, 0);
    for (int i = 0; i < THREADS; i++)
        sem_init(&go[i], 0, 0);
    sigaction(SIGRTMIN, &action, NULL);
    action.sa_handler = go_on;
    sigaction(SIGRTMIN + 1, &action, NULL);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, run, (void *)(i + 1));
    wait_for_all();
    for (int i = 0; i < rounds; i++)
        collect(threads, &seed);
    ends = 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%d rounds\n", rounds);
    return 0;
}
