/*
 * The truth program's sites whose stacks are hard: deep, jumped out of, realigned, called back by
 * libc, on other stacks, in a library that is unloaded, in threads.
 */
#include "truth.h"

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>

enum { THREADS = 8, GIVEN = 1000, DEEP = 400 };

/* The same line by two ways: two sites. Not in the table itself. */
SITE_FUNCTION static void shared_leaf(void)
{
    truth_kept(malloc(21));
}

SITE_FUNCTION static void path_left(void)
{
    shared_leaf();
    shared_leaf();
}

SITE_FUNCTION static void path_right(void)
{
    for (volatile int i = 0; i < 3; i++) /* one call, not three */
        shared_leaf();
}

SITE_FUNCTION static void deep_step(int left)
{
    if (left)
        deep_step(left - 1);
    else
        truth_kept(malloc(100));
    __asm__ volatile("");
}

static jmp_buf jump;

SITE_FUNCTION static void jump_long(void)
{
    truth_kept(malloc(15));
    if (!truth_sink)
        return;
    longjmp(jump, 1);
}

SITE_FUNCTION static void frame_variable(volatile size_t bytes)
{
    char *room = __builtin_alloca(bytes);
    __asm__ volatile("" : : "r"(room) : "memory");
    truth_kept(malloc(19));
    truth_kept(malloc(19));
    __asm__ volatile("" : : "r"(room) : "memory");
}

SITE_FUNCTION static void frame_realigned(void)
{
    char room[128] __attribute__((aligned(128)));
    __asm__ volatile("" : : "r"(room) : "memory");
    truth_kept(malloc(23));
    truth_kept(malloc(23));
    __asm__ volatile("" : : "r"(room) : "memory");
}

SITE_FUNCTION static int search_callback(const void *key, const void *entry)
{
    truth_kept(malloc(12));
    return *(const int *)key - *(const int *)entry;
}

static ucontext_t coroutine, coroutine_return;

SITE_FUNCTION static void coroutine_body(void)
{
    truth_kept(malloc(29));
    truth_kept(malloc(29));
    truth_sink = NULL;
}

static void coroutine_run(void)
{
    static char stack[64 << 10] __attribute__((aligned(16)));

    getcontext(&coroutine);
    coroutine.uc_stack.ss_sp = stack;
    coroutine.uc_stack.ss_size = sizeof stack;
    coroutine.uc_link = &coroutine_return;
    makecontext(&coroutine, coroutine_body, 0);
    swapcontext(&coroutine_return, &coroutine);
}

SITE_FUNCTION static void altstack_handler(int number)
{
    (void)number;
    free(truth_kept(malloc(60)));
    truth_kept(malloc(60));
}

static void altstack_run(void)
{
    static char stack[16 << 10];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = altstack_handler, .sa_flags = SA_ONSTACK};

    sigaltstack(&other, NULL);
    sigaction(SIGURG, &action, NULL);
    raise(SIGURG);
}

__attribute__((constructor)) SITE_FUNCTION static void early_constructor(void)
{
    truth_kept(malloc(111));
}

SITE_FUNCTION static void library_plugin(void)
{
    void *plugin = dlopen(TRUTH_PLUGIN, RTLD_NOW);
    truth_check(plugin != NULL, "dlopen");
    void (*run)(void) = (void (*)(void))dlsym(plugin, "plugin_run");
    run();
    truth_check(dlclose(plugin) == 0, "dlclose");
}

/* threads */

static void *gifts[THREADS][GIVEN];
static pthread_barrier_t barrier;
static pthread_key_t key;

SITE_FUNCTION static void thread_giver(size_t self)
{
    for (int i = 0; i < GIVEN; i++)
        gifts[self][i] = malloc(48);
}

SITE_FUNCTION static void thread_private(void)
{
    for (int i = 0; i < 100; i++)
        free(truth_kept(malloc(24)));
}

SITE_FUNCTION static void thread_destructor(void *value)
{
    (void)value;
    truth_kept(malloc(13));
}

static void *thread_main(void *argument)
{
    size_t self = (size_t)argument;

    pthread_setspecific(key, &gifts);
    thread_giver(self);
    pthread_barrier_wait(&barrier);
    for (int i = 1; i < GIVEN; i += 2)
        free(gifts[(self + 1) % THREADS][i]);
    thread_private();
    return NULL;
}

SITE_FUNCTION static void library_threads(void)
{
    pthread_t threads[THREADS];

    pthread_key_create(&key, thread_destructor);
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        truth_check(pthread_create(&threads[i], NULL, thread_main, (void *)i) == 0,
                    "pthread_create");
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

void truth_stacks(void)
{
    int numbers[1] = {1}, wanted = 1;

    path_left();
    path_right();
    for (int i = 0; i < 3; i++)
        deep_step(DEEP);
    for (volatile int i = 0; i < 2; i++)
        if (!setjmp(jump))
            jump_long();
    frame_variable(100);
    frame_realigned();
    truth_check(bsearch(&wanted, numbers, 1, sizeof(int), search_callback) != NULL, "bsearch");
    coroutine_run();
    altstack_run();
    library_plugin();
    library_threads();
}
