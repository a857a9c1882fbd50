/*
 * hostile.c - what breaks a tool that lives in another's process: hostile MODE [ARGUMENT...].
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <iconv.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIBRARIES = 2, UNLOADINGS = 3000, FORKS = 500, JUMPS = 2000, AFTER = 12 };

static void *volatile sink;

/* A library in C++ is loaded by this program, which has no C++ in it. */
static int run_cxx(char **arguments)
{
    void *library = dlopen(arguments[0], RTLD_NOW | RTLD_LOCAL);
    int (*run)(int) = library ? (int (*)(int))dlsym(library, "hostile_cxx") : NULL;

    if (!run)
        return 1;
    printf("%d\n", run(7));
    return dlclose(library);
}

static void *unload_main(void *path)
{
    for (int i = 0; i < UNLOADINGS; i++) {
        void *library = dlopen(path, RTLD_NOW);
        void (*run)(void) = library ? (void (*)(void))dlsym(library, "plugin_run") : NULL;
        if (!run)
            return path;
        run();
        dlclose(library);
    }
    return NULL;
}

/* Threads load and unload libraries of their own at the same time. */
static int run_unload(char **paths)
{
    pthread_t threads[LIBRARIES];
    void *failed;
    int status = 0;

    for (int i = 0; i < LIBRARIES; i++)
        pthread_create(&threads[i], NULL, unload_main, paths[i]);
    for (int i = 0; i < LIBRARIES; i++) {
        pthread_join(threads[i], &failed);
        status |= failed != NULL;
    }
    return status;
}

/* What dlerror() has to say is the program's: no hook asks the loader anything, once it runs. */
static int run_loader(void)
{
    const char *error = dlerror();

    if (error || dlsym(RTLD_DEFAULT, "hostile_nothing"))
        return 1;
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_IGN);
    free(malloc(10));
    error = dlerror();
    return !error || !strstr(error, "hostile_nothing");
}

/* A child that becomes another program at once. */
static int run_spawner(void)
{
    int status = 1;
    pid_t child = fork();

    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    return child < 0 || waitpid(child, &status, 0) != child || status != 0;
}

/* Descriptor 2 becomes a file of the program's own. */
static int run_reuse(const char *path)
{
    close(2);
    return open(path, O_RDWR | O_CREAT, 0600) != 2 || write(2, "data", 4) != 4;
}

static sigjmp_buf start;

static void jump_away(int number)
{
    siglongjmp(start, number);
}

__attribute__((noinline)) static void hostile_after(void)
{
    for (int i = 0; i < AFTER; i++)
        sink = malloc(64);
    __asm__ volatile("");
}

static void *allocate_main(void *going_on)
{
    while (*(volatile int *)going_on)
        free(malloc(10));
    return NULL;
}

static void map_and_unmap(void)
{
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    munmap(page, 4096);
}

/* Handlers that interrupt a hook, most likely, and never come back to it; others go on meanwhile. */
static int run_jumps(void)
{
    struct itimerval once = {{0, 0}, {0, 300}}, never = {{0, 0}, {0, 0}};
    static int going_on = 1;
    volatile int jumps = 0;
    pthread_t other;
    sigset_t alarms;

    signal(SIGALRM, jump_away);
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarms, NULL); /* not for the other thread */
    pthread_create(&other, NULL, allocate_main, &going_on);
    pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
    sigsetjmp(start, 1);
    if (++jumps < JUMPS) {
        setitimer(ITIMER_REAL, &once, NULL);
        for (;;)
            map_and_unmap();
    }
    setitimer(ITIMER_REAL, &never, NULL);
    going_on = 0;
    hostile_after();
    return pthread_join(other, NULL);
}

static void map_something(int number)
{
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)number;
    munmap(page, 4096);
}

/* Forks, and signal handlers that map and unmap in the middle of them. */
static int run_forks(void)
{
    struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    int status = 0, failed = 0;

    signal(SIGALRM, map_something);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        while (child > 0 && waitpid(child, &status, 0) < 0)
            ;
        failed |= child < 0 || status != 0;
    }
    setitimer(ITIMER_REAL, &never, NULL);
    return failed;
}

static int find_converter(struct dl_phdr_info *object, size_t size, void *place)
{
    (void)size;
    if (strstr(object->dlpi_name, "/UTF-"))
        *(uintptr_t *)place = object->dlpi_addr;
    return 0;
}

__attribute__((noinline)) static uintptr_t convert(const char *from, int times)
{
    uintptr_t place = 0;

    for (int i = 0; i < times; i++) {
        iconv_t converter = iconv_open("UTF-8", from);
        dl_iterate_phdr(find_converter, &place);
        if (converter == (iconv_t)-1)
            return 0;
        iconv_close(converter);
    }
    return place;
}

__attribute__((noinline)) static uintptr_t first_converter(void)
{
    return convert("UTF-16", 10);
}

__attribute__((noinline)) static uintptr_t second_converter(void)
{
    return convert("UTF-32", 11);
}

/* libc unloads a converter that has not been used for long, and loads another one, unseen. */
static int run_converters(void)
{
    uintptr_t first = first_converter();

    for (int i = 0; i < 4; i++) {
        convert("CP1250", 1);
        convert("KOI8-R", 1);
        convert("CP1251", 1);
    }
    puts(first != 0 && first == second_converter() ? "one place" : "two places");
    return 0;
}

int main(int count, char **arguments)
{
    const char *mode = count > 1 ? arguments[1] : "";

    if (strcmp(mode, "cxx") == 0 && count > 2)
        return run_cxx(arguments + 2);
    if (strcmp(mode, "unload") == 0 && count > 1 + LIBRARIES)
        return run_unload(arguments + 2);
    if (strcmp(mode, "loader") == 0)
        return run_loader();
    if (strcmp(mode, "spawner") == 0)
        return run_spawner();
    if (strcmp(mode, "jumps") == 0)
        return run_jumps();
    if (strcmp(mode, "converters") == 0)
        return run_converters();
    if (strcmp(mode, "forks") == 0)
        return run_forks();
    if (strcmp(mode, "reuse") == 0 && count > 2)
        return run_reuse(arguments[2]);
    return 2;
}
