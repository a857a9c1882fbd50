/* Does what a script says, one step a line, so that a model knows every figure: model SCRIPT. A step is
   THREAD WHAT SITE SLOT NUMBER; snapshots are called as their number says. Nothing else allocates. */
#include "heapdiff.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SCRIPT_BYTES = 1 << 20, SLOTS = 512, THREADS = 4, PAGE = 4096 };

struct step {
    unsigned thread;
    char what;
    unsigned site, slot, number;
};

static void *slots[SLOTS];
static size_t mapped_bytes[SLOTS];

static inline __attribute__((always_inline)) void *take(const struct step *step, void *old)
{
    switch (step->what) {
    case 'c':
        return calloc(1, step->number);
    case 'r':
        return realloc(old, step->number);
    case 'p':
        return mmap(NULL, (size_t)step->number * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                    0);
    default:
        return malloc(step->number);
    }
}

/* The number keeps the compiler from making one function of them all, and from calling at the end. */
#define SITE(n)                                                                         \
    __attribute__((noinline)) static void *site_##n(const struct step *step, void *old) \
    {                                                                                   \
        void *taken = take(step, old);                                                  \
        __asm__ volatile("" : "+r"(taken) : "i"(n));                                    \
        return taken;                                                                   \
    }
SITE(0)
SITE(1)
SITE(2)
SITE(3)
SITE(4)
SITE(5)
static void *(*const sites[])(const struct step *, void *) = {site_0, site_1, site_2,
                                                              site_3, site_4, site_5};

static void on_alarm(int signal)
{
    (void)signal;
    heapdiff_mark_collection("handler");
}

/* Pages [slot + site, slot + number) of a mapping go. */
static void unmap(const struct step *step)
{
    char *start = slots[step->slot];
    munmap(start + (size_t)step->site * PAGE, (size_t)(step->number - step->site) * PAGE);
    if (step->site == 0) {
        slots[step->slot] = start + (size_t)step->number * PAGE;
        mapped_bytes[step->slot] -= (size_t)step->number * PAGE;
    } else {
        mapped_bytes[step->slot] = (size_t)step->site * PAGE;
    }
}

static void resize(const struct step *step)
{
    size_t bytes = (size_t)step->number * PAGE;
    slots[step->slot] = mremap(slots[step->slot], mapped_bytes[step->slot], bytes, MREMAP_MAYMOVE);
    mapped_bytes[step->slot] = bytes;
}

static void snapshot(unsigned number)
{
    char name[32];
    snprintf(name, sizeof(name), "at.%u.prof", number);
    heapdiff_snapshot(name);
}

static void run(const struct step *step)
{
    switch (step->what) {
    case 'f':
        free(slots[step->slot]);
        slots[step->slot] = NULL;
        break;
    case 'u':
        unmap(step);
        break;
    case 'v':
        resize(step);
        break;
    case 'k':
        heapdiff_mark_collection(NULL);
        break;
    case 'h':
        raise(SIGALRM);
        break;
    case 'g':
        raise(SIGUSR2);
        break;
    case 's':
        snapshot(step->number);
        break;
    default:
        slots[step->slot] = sites[step->site](step, slots[step->slot]);
        mapped_bytes[step->slot] = step->what == 'p' ? (size_t)step->number * PAGE : 0;
    }
}

static struct worker {
    sem_t wanted, done;
    struct step step;
} workers[THREADS];

static void *work(void *argument)
{
    struct worker *worker = argument;
    for (;;) {
        sem_wait(&worker->wanted);
        run(&worker->step);
        sem_post(&worker->done);
    }
    return NULL;
}

static bool alone; /* in a child there are no other threads */

static void run_in_thread(const struct step *step)
{
    if (alone || step->thread == 0) {
        run(step);
        return;
    }
    struct worker *worker = &workers[step->thread % THREADS];
    worker->step = *step;
    sem_post(&worker->wanted);
    sem_wait(&worker->done);
}

/* Whether the steps up to the child's end are somebody else's. */
static bool is_parent_of_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        alone = true;
        return false;
    }
    waitpid(child, NULL, 0);
    return true;
}

static void run_all(char *at)
{
    struct step step;
    bool skips = false;
    while (*at) {
        step.thread = (unsigned)strtoul(at, &at, 10);
        step.what = at[1];
        step.site = (unsigned)strtoul(at + 2, &at, 10);
        step.slot = (unsigned)strtoul(at, &at, 10);
        step.number = (unsigned)strtoul(at, &at, 10);
        at += *at == '\n';
        if (step.what == 'X' && alone)
            _exit(0);
        if (step.what == 'X')
            skips = false;
        else if (step.what == 'F')
            skips = is_parent_of_child();
        else if (!skips)
            run_in_thread(&step);
    }
}

int main(int count, char **arguments)
{
    static char script[SCRIPT_BYTES];
    struct sigaction action = {.sa_handler = on_alarm};
    int fd = open(count > 1 ? arguments[1] : "", O_RDONLY);
    if (fd < 0 || read(fd, script, sizeof(script) - 1) <= 0)
        return 2;
    sigaction(SIGALRM, &action, NULL);
    for (int i = 1; i < THREADS; i++) {
        pthread_t thread;
        sem_init(&workers[i].wanted, 0, 0);
        sem_init(&workers[i].done, 0, 0);
        pthread_create(&thread, NULL, work, &workers[i]);
    }
    run_all(script);
    return 0;
}
