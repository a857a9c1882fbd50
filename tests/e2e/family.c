/*
 * family.c - parents and children, each with a known amount.
 *
 *     family fork|vfork|clone|spawn|daemon|threads|exec|resize|late|storm-fork|storm-_Fork|storm-clone
 *
 * The parent's live state when its child begins: parent_before 10 x 100 bytes. Where the child is a
 * forked copy it frees two of those and adds child_only, 5 x 70.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 10, THREADS = 4, FORKS = 30, MOVED_BYTES = 1 << 20 };

static void *blocks[BLOCKS];
static void *volatile sink;
static volatile int stop;
static volatile pid_t forked = -1;

__attribute__((noinline)) static void parent_before(void)
{
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(100);
    __asm__ volatile("");
}

__attribute__((noinline)) static void parent_after(void)
{
    for (int i = 0; i < 3; i++)
        sink = malloc(11);
    __asm__ volatile("");
}

__attribute__((noinline)) static void child_only(void)
{
    for (int i = 0; i < 5; i++)
        sink = malloc(70);
    free(blocks[0]);
    free(blocks[1]);
    __asm__ volatile("");
}

static int wait_for(pid_t child)
{
    int status = -1;

    waitpid(child, &status, 0);
    return status;
}

static int run_fork(void)
{
    pid_t child = fork();

    if (child == 0) {
        child_only();
        exit(0);
    }
    return wait_for(child);
}

static int run_vfork(void)
{
    pid_t child = vfork();

    if (child == 0)
        _exit(0);
    return wait_for(child);
}

static int run_vfork_exec(void)
{
    pid_t child = vfork();

    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    return wait_for(child);
}

/* As sandboxes and some runtimes do: no libc function knows of this child. */
static int run_clone(void)
{
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    if (child == 0) {
        child_only();
        syscall(SYS_exit_group, 0);
    }
    return wait_for(child);
}

static int run_spawn(void)
{
    char *arguments[] = {(char *)"true", NULL};
    pid_t child;

    if (posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ) != 0)
        return 1;
    return wait_for(child);
}

static int run_daemon(void)
{
    return daemon(1, 1);
}

static void *thread_main(void *argument)
{
    while (!stop)
        free(malloc(50));
    return argument;
}

/* Forks while others allocate: a lock held at the fork must not hold the child. */
static int run_threads(void)
{
    pthread_t threads[THREADS];
    int status = 0;

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, thread_main, NULL);
    for (int i = 0; i < FORKS; i++)
        status |= run_fork();
    stop = 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return status;
}

/* A page of a block that is being resized: the allocator's copy is interrupted, by a fork. */
static char *trap;

static void on_trap(int number)
{
    (void)number;
    mprotect(trap, 4096, PROT_READ | PROT_WRITE);
    forked = fork();
    if (forked == 0)
        munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
}

/* A block of one site, whose resizing a fork interrupts: it is there once, in both processes. */
__attribute__((noinline)) static void resized(size_t from_bytes, size_t to_bytes)
{
    const size_t sizes[] = {from_bytes, to_bytes};
    char *block = NULL;

    forked = -1;
    for (volatile int i = 0; i < 2; i++) { /* not unrolled: one call */
        if (i == 1) {
            trap = (char *)(((uintptr_t)block + from_bytes / 2) & ~(uintptr_t)4095);
            mprotect(trap, 4096, PROT_NONE);
        }
        block = realloc(block, sizes[i]);
    }
    sink = block;
    if (forked == -1)
        fprintf(stderr, "realloc() of %zu bytes was not interrupted\n", from_bytes);
    if (forked > 0)
        wait_for(forked);
}

/*
 * Whatever the heap looks like, a block of 20000 bytes cannot become MOVED_BYTES where it is, and a page
 * in its middle must be read; of one of 500 bytes a header is on that page, or else all of it.
 */
static int run_resize(void)
{
    struct sigaction action = {.sa_handler = on_trap, .sa_flags = SA_NODEFER};

    sigaction(SIGSEGV, &action, NULL);
    resized(20000, MOVED_BYTES);
    if (forked > 0)
        resized(500, 800);
    return forked == -1;
}

/* The child's first event is the end of that very realloc. */
static void on_trap_quietly(int number)
{
    (void)number;
    mprotect(trap, 4096, PROT_READ | PROT_WRITE);
    forked = fork();
}

static int run_late(void)
{
    struct sigaction action = {.sa_handler = on_trap_quietly, .sa_flags = SA_NODEFER};

    sigaction(SIGSEGV, &action, NULL);
    resized(500, 800);
    return forked == -1;
}

enum { STORM_FORKS = 40, STORM_LEVELS = 12, STORM_US = 100 };

static volatile int forks;
static pid_t (*storm_fork)(void);

pid_t _Fork(void) __attribute__((weak));

static pid_t fork_by_clone(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void on_alarm(int number)
{
    const struct itimerval next = {.it_value = {0, STORM_US}};

    (void)number;
    if (forked == 0 || forks == STORM_FORKS)
        return;
    forks++;
    forked = storm_fork();
    if (forked != 0)
        setitimer(ITIMER_REAL, &next, NULL);
}

/* As many stacks as there are paths: mostly, the handler's forks are in the middle of an event. */
__attribute__((noinline)) static void storm_site(unsigned path, int level)
{
    if (level == 0) {
        free(malloc(24));
    } else if (path & 1) {
        storm_site(path >> 1, level - 1);
        __asm__ volatile("# another call than the next one");
    } else {
        storm_site(path >> 1, level - 1);
    }
    __asm__ volatile("");
}

/* Prints how many blocks there were: in the parent, which goes through all paths equally often. */
static int run_storm(pid_t (*way)(void))
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    const struct itimerval first = {.it_value = {0, STORM_US}};
    unsigned count = 0, mask = (1u << STORM_LEVELS) - 1;
    int status = 0;

    storm_fork = way;
    if (!way)
        return 77;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &first, NULL);
    for (; forked != 0 && (forks < STORM_FORKS || count & mask); count++)
        storm_site(count & mask, STORM_LEVELS);
    if (forked == 0) {
        child_only();
        _exit(0);
    }
    for (int i = 0; i < forks; i++)
        status |= wait_for(-1);
    printf("%u\n", count);
    return status;
}

static int run_storm_fork(void)
{
    return run_storm(fork);
}

static int run_storm_plain(void)
{
    return run_storm(_Fork);
}

static int run_storm_clone(void)
{
    return run_storm(fork_by_clone);
}

static int run(const char *how)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } ways[] = {{"fork", run_fork},
                {"vfork", run_vfork},
                {"exec", run_vfork_exec},
                {"clone", run_clone},
                {"spawn", run_spawn},
                {"daemon", run_daemon},
                {"threads", run_threads},
                {"resize", run_resize},
                {"late", run_late},
                {"storm-fork", run_storm_fork},
                {"storm-_Fork", run_storm_plain},
                {"storm-clone", run_storm_clone}};

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(how, ways[i].name) == 0)
            return ways[i].run();
    return 2;
}

int main(int count, char **arguments)
{
    int status;

    parent_before();
    status = run(count > 1 ? arguments[1] : "");
    parent_after();
    if (count > 2)
        raise(SIGKILL);
    return status == 77 ? 77 : status != 0;
}
