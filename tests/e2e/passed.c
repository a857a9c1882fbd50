/*
 * passed: pairs of calls that give and take memory, in the main thread, a later one and a forked child, for counting
 * instructions.
 *
 *     passed main|thread|child malloc|calloc|realloc|aligned PAIRS
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 64, ALIGNMENT = 32 };

struct plan {
    const char *form;
    long pairs;
};

static void *volatile sink;

static void *make(char form)
{
    switch (form) {
    case 'm':
        return malloc(SIZE);
    case 'c':
        return calloc(1, SIZE);
    case 'r':
        return realloc(realloc(NULL, SIZE), SIZE - 1); /* stays where it is */
    default:
        return aligned_alloc(ALIGNMENT, SIZE);
    }
}

static void *run(void *argument)
{
    const struct plan *plan = argument;
    for (long i = 0; i < plan->pairs; i++) {
        sink = make(plan->form[0]);
        free(sink);
    }
    return NULL;
}

static int run_thread(struct plan *plan)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, run, plan) != 0 || pthread_join(thread, NULL) != 0;
}

static int run_child(struct plan *plan)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        run(plan);
        _exit(run_thread(plan)); /* and a thread of its own */
    }
    return child < 0 || waitpid(child, &status, 0) != child || status != 0;
}

int main(int count, char **arguments)
{
    if (count != 4)
        return 2;
    struct plan plan = {arguments[2], atol(arguments[3])};
    if (strcmp(arguments[1], "thread") == 0)
        return run_thread(&plan);
    if (strcmp(arguments[1], "child") == 0)
        return run_child(&plan);
    run(&plan);
    return 0;
}
