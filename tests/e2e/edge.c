/*
 * edge.c - what programs rarely do: edge MODE [ARGUMENT...].
 */
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 40 };

static void *volatile sink;

__attribute__((noinline)) static void edge_site(int count)
{
    for (int i = 0; i < count; i++)
        sink = malloc(40);
    __asm__ volatile("");
}

static void *small_main(void *argument)
{
    for (int i = 0; i < 20; i++) {
        edge_site(10);
        raise(SIGUSR1);
    }
    return argument;
}

/* Threads with the smallest stack there is allocate, and take the signal. */
static int run_small(void)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&thread, &attributes, small_main, NULL) != 0)
            return 1;
        pthread_join(thread, NULL);
    }
    return 0;
}

/* An exec that fails: the program goes on, and its recording. */
static int run_exec(void)
{
    edge_site(5);
    execl("/nowhere/at/all", "x", (char *)NULL);
    edge_site(6);
    return 0;
}

static void *race_main(void *argument)
{
    for (;;) {
        free(malloc(100));
        free(calloc(3, 100));
    }
    return argument;
}

/* main returns while others allocate. */
static int run_race(void)
{
    pthread_t thread;

    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread, NULL, race_main, NULL) != 0)
            return 1;
    usleep(2000);
    return 0;
}

/* Two libraries take turns at what is likely the same address. */
static int run_turns(char **paths)
{
    for (int i = 0; i < ROUNDS; i++) {
        void *library = dlopen(paths[i % 2], RTLD_NOW);
        void (*run)(void) = library ? (void (*)(void))dlsym(library, "plugin_run") : NULL;
        if (!run)
            return 1;
        run();
        dlclose(library);
    }
    return 0;
}

/* The signal is blocked in the only thread: nobody answers it. */
static int run_deaf(void)
{
    sigset_t set;

    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    edge_site(7);
    puts("ready");
    fflush(stdout);
    sleep(20);
    return 0;
}

static int run_close(void)
{
    edge_site(8);
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    for (int i = 0; i < 60000; i++)
        sink = malloc((size_t)i % 50);
    edge_site(9);
    return 0;
}

int main(int count, char **arguments)
{
    const char *mode = count > 1 ? arguments[1] : "";

    if (strcmp(mode, "small") == 0)
        return run_small();
    if (strcmp(mode, "exec") == 0)
        return run_exec();
    if (strcmp(mode, "race") == 0)
        return run_race();
    if (strcmp(mode, "turns") == 0 && count > 3)
        return run_turns(arguments + 2);
    if (strcmp(mode, "deaf") == 0)
        return run_deaf();
    if (strcmp(mode, "close") == 0)
        return run_close();
    edge_site(3);
    return 0;
}
