/*
 * hosts_many.c - very many of something, or very little: hosts_many MODE [ARGUMENT...].
 *
 * Each mode prints what it counted itself.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 1000, EACH = 50, LIVES = 5000, HANDED = 20000, SMALL_STACK_BYTES = 64 << 10 };

static void *volatile sink;
static pthread_barrier_t barrier;

__attribute__((noinline)) static void *many_site(size_t size)
{
    void *block = malloc(size);

    __asm__ volatile("" : "+r"(block));
    return block;
}

static void *together_main(void *kept)
{
    pthread_barrier_wait(&barrier); /* all of them are there at once */
    for (int i = 0; i < EACH; i++)
        free(many_site(30));
    *(void **)kept = many_site(70);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static int start(pthread_t *thread, size_t stack_bytes, void *(*run)(void *), void *argument)
{
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    return pthread_create(thread, &attributes, run, argument);
}

/* A thousand threads at once, on stacks of 64 KiB; their blocks are freed by the main thread: half of them. */
static int run_together(char **unused)
{
    static pthread_t threads[THREADS];
    static void *kept[THREADS];
    int begun = 0;

    (void)unused;
    pthread_barrier_init(&barrier, NULL, THREADS);
    while (begun < THREADS &&
           start(&threads[begun], SMALL_STACK_BYTES, together_main, &kept[begun]) == 0)
        begun++;
    if (begun < THREADS)
        _exit(77);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i += 2)
        free(kept[i]);
    printf("%d %d\n", THREADS * (EACH + 1), THREADS / 2);
    return 0;
}

static void *short_main(void *argument)
{
    free(many_site(20));
    return argument;
}

/* Threads that hardly live: joined, detached, two at a time. */
static int run_short(char **unused)
{
    pthread_t first, second;
    int counted = 0;

    (void)unused;
    for (int i = 0; i < LIVES; i += 2) {
        counted += start(&first, PTHREAD_STACK_MIN, short_main, NULL) == 0;
        counted += start(&second, SMALL_STACK_BYTES, short_main, NULL) == 0;
        pthread_join(first, NULL);
        pthread_join(second, NULL);
    }
    printf("%d 0\n", counted);
    return 0;
}

static void *volatile handed[64];
static volatile int taken_all;

static void *taker_main(void *argument)
{
    for (;;) {
        int all = taken_all, found = 0;
        for (int i = 0; i < 64; i++) {
            void *block = __atomic_exchange_n(&handed[i], NULL, __ATOMIC_ACQ_REL);
            free(block);
            found |= block != NULL;
        }
        if (all && !found)
            return argument;
    }
}

/* What one thread allocates another one frees, at once. */
static int run_handed(char **unused)
{
    pthread_t takers[3];

    (void)unused;
    for (int i = 0; i < 3; i++)
        pthread_create(&takers[i], NULL, taker_main, NULL);
    for (int i = 0; i < HANDED; i++)
        free(__atomic_exchange_n(&handed[i % 64], many_site((size_t)i % 90), __ATOMIC_ACQ_REL));
    taken_all = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(takers[i], NULL);
    printf("%d 0\n", HANDED);
    return 0;
}

/* Forks without end, of children that allocate nothing, or one block. */
static int run_forks(char **arguments)
{
    int left = atoi(arguments[0]), status = 0, good = 0;

    sink = many_site(10);
    for (int i = 0; i < left; i++) {
        pid_t child = fork();
        if (child == 0) {
            if (i % 100 == 0)
                sink = many_site(10);
            _exit(i % 7);
        }
        good += waitpid(child, &status, 0) == child && WIFEXITED(status) &&
                WEXITSTATUS(status) == i % 7;
    }
    printf("%d\n", good);
    return 0;
}

static volatile sig_atomic_t handled;

static void allocate_in_handler(int number)
{
    (void)number;
    handled++;
    free(many_site(12)); /* as programs should not, but do */
}

/* Handlers on the smallest alternate stack, that allocate and are asked for a snapshot. */
static int run_alternate(char **unused)
{
    stack_t stack = {.ss_size = MINSIGSTKSZ};
    struct sigaction action = {.sa_handler = allocate_in_handler,
                               .sa_flags = SA_ONSTACK | SA_RESTART};

    (void)unused;
    if (stack.ss_size < (size_t)sysconf(_SC_MINSIGSTKSZ))
        stack.ss_size = (size_t)sysconf(_SC_MINSIGSTKSZ);
    stack.ss_sp = malloc(stack.ss_size + 4096);
    memset(stack.ss_sp, 0x5a, 4096); /* below it: what must stay as it is */
    stack.ss_sp = (char *)stack.ss_sp + 4096;
    sigaltstack(&stack, NULL);
    sigaction(SIGUSR2, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 10; i++) {
        raise(SIGUSR2);
        raise(SIGUSR1);
    }
    printf("%d 0\n", (int)handled);
    return 0;
}

/* All descriptors go, in one call; then the tables must grow, and the program ends. */
static int run_close_range(char **unused)
{
    (void)unused;
    sink = many_site(8);
    if (syscall(SYS_close_range, 3u, ~0u, 0u) != 0)
        return 77;
    for (size_t i = 0; i < 30000; i++)
        sink = malloc(i % 50);
    sink = many_site(8);
    puts("2 2");
    return 0;
}

/* Libraries whose thread-local variables want room that was there before. */
static int run_libraries(char **paths)
{
    int loaded = 0;

    for (; *paths; paths++) {
        void *library = dlopen(*paths, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
        int *(*get)(void) = library ? (int *(*)(void))dlsym(library, "own_number") : NULL;
        loaded += get != NULL && *get() == 7;
    }
    sink = many_site(5);
    printf("%d\n", loaded);
    return 0;
}

/* Limits on itself, then work: what fails without the preload may fail, no more. */
static int run_limit(char **arguments)
{
    static const struct {
        const char *name;
        int resource;
    } resources[] = {{"as", RLIMIT_AS},
                     {"fsize", RLIMIT_FSIZE},
                     {"nofile", RLIMIT_NOFILE},
                     {"memlock", RLIMIT_MEMLOCK},
                     {"data", RLIMIT_DATA}};
    rlim_t bytes = (rlim_t)atoll(arguments[1]);

    for (size_t i = 0; i < sizeof resources / sizeof resources[0]; i++)
        if (strcmp(arguments[0], resources[i].name) == 0 &&
            setrlimit(resources[i].resource, &(struct rlimit){bytes, bytes}) != 0)
            return 3;
    for (size_t i = 0; i < 20000; i++)
        if (!(sink = many_site(100)))
            return 4;
    puts("20000 20000");
    return 0;
}

/* A limit that leaves the address space so much, or next to nothing; then a snapshot is asked for. */
static int run_tight(char **arguments)
{
    for (size_t i = 0; i < 20000; i++)
        if (!(sink = many_site(100)))
            return 4;
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld", &pages) != 1)
        return 5;
    fclose(file);
    rlim_t bytes = (rlim_t)(pages * sysconf(_SC_PAGESIZE) + atol(arguments[0]));
    if (setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes}) != 0)
        return 3;
    raise(SIGUSR1);
    puts("20000 20000");
    return 0;
}

/* Another root, in which there is nothing that was there before; then the tables must grow. */
static int run_chroot(char **arguments)
{
    sink = many_site(6);
    if (chroot(arguments[0]) != 0 || chdir("/") != 0)
        return 77;
    for (size_t i = 0; i < 30000; i++)
        sink = malloc(i % 50);
    sink = many_site(6);
    puts("2 2");
    return 0;
}

/* Memory that grows down by itself, below which our tables would come to lie as they grow. */
static int run_growing(char **unused)
{
    enum { PAGE = 4096, BEFORE = 64, AFTER = 1024 };
    char *growing = mmap(NULL, BEFORE * PAGE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);

    (void)unused;
    if (growing == MAP_FAILED)
        return 77;
    for (size_t i = 0; i < 200000; i++)
        sink = many_site(i % 4000);
    for (long i = 1; i < AFTER; i++)
        growing[-i * PAGE] = 1;
    puts("200000 200000");
    return 0;
}

/* A /proc in which each file is a FIFO that nobody writes to, or a device. */
static int run_proc(char **arguments)
{
    static const char *const folders[] = {"self", "thread-self"};
    static const char *const files[] = {"maps",  "smaps", "smaps_rollup", "pagemap", "status",
                                        "statm", "stat",  "cmdline",      "cgroup"};
    const int device = strcmp(arguments[0], "device") == 0;
    char path[64];

    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/proc", "tmpfs", 0, NULL) != 0)
        return 77;
    for (size_t k = 0; k < sizeof folders / sizeof folders[0]; k++) {
        snprintf(path, sizeof path, "/proc/%s", folders[k]);
        mkdir(path, 0755);
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
            snprintf(path, sizeof path, "/proc/%s/%s", folders[k], files[i]);
            if (mknod(path, device ? S_IFCHR | 0644 : S_IFIFO | 0644, makedev(1, 5)) != 0)
                return 77;
        }
    }
    sink = many_site(9);
    raise(SIGUSR1);
    sink = many_site(9);
    puts("2 2");
    return 0;
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        int (*run)(char **arguments);
    } modes[] = {{"together", run_together},   {"short", run_short},
                 {"handed", run_handed},       {"forks", run_forks},
                 {"alternate", run_alternate}, {"close_range", run_close_range},
                 {"libraries", run_libraries}, {"limit", run_limit},
                 {"chroot", run_chroot},       {"growing", run_growing},
                 {"proc", run_proc},           {"tight", run_tight}};

    for (size_t i = 0; i < sizeof modes / sizeof modes[0] && count > 1; i++)
        if (strcmp(arguments[1], modes[i].name) == 0)
            return modes[i].run(arguments + 2);
    return 2;
}
