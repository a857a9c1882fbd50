/*
 * rss.c - memory of every sort, for `heapdiff rss` to look at: each line of its output is a sort and the
 *   bytes that are resident of it. Also built as a static program.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, THREADS = 3, ARENA_BLOCK = 3 << 20, BSS_BYTES = 4 << 20 };

static char large_bss[BSS_BYTES];
static pthread_barrier_t ready;

static void *map(size_t size_bytes, int protection, int flags, int fd)
{
    void *memory = mmap(NULL, size_bytes, protection, flags, fd, 0);
    if (memory == MAP_FAILED) {
        perror("rss: mmap");
        exit(1);
    }
    return memory;
}

static char *map_anonymous(size_t size_bytes)
{
    return map(size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void share_memory(void)
{
    int fd = memfd_create("ring", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 2 * MIB) != 0)
        exit(1);
    for (int i = 0; i < 2; i++) /* mapped twice it counts twice */
        memset(map(2 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd), 1, 2 * MIB);
    printf("memfd:ring %d\n", 4 * MIB);
    int id = shmget(IPC_PRIVATE, MIB, IPC_CREAT | 0600);
    char *segment = id >= 0 ? shmat(id, NULL, 0) : (char *)-1;
    if (segment == (char *)-1)
        exit(1);
    shmctl(id, IPC_RMID, NULL);
    memset(segment, 1, MIB);
    printf("SYSV %d\n", MIB);
    memset(map(3 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1), 1, 3 * MIB);
    printf("anonymous shared memory %d\n", 3 * MIB);
}

static void map_deleted_file(const char *path)
{
    FILE *file = fopen(path, "w+");
    if (!file || ftruncate(fileno(file), MIB) != 0)
        exit(1);
    memset(map(MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file)), 1, MIB / 2);
    unlink(path);
    fclose(file);
    printf("(deleted) shared %d\n", MIB / 2);
}

/* What is not resident though mapped, or is though it cannot be reached. */
static void map_oddities(void)
{
    char *zeroes = map_anonymous(MIB), sum = 0;
    for (int i = 0; i < MIB; i += 4096)
        sum |= zeroes[i];
    char *barred = map_anonymous(MIB);
    memset(barred, 1 + sum, MIB);
    mprotect(barred, MIB, PROT_NONE);
    printf("no access %d\n", MIB);
    char *lazy = map_anonymous(MIB);
    memset(lazy, 1, MIB);
    madvise(lazy, MIB, MADV_FREE);
    map(64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    char *code = map(MIB, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    memset(code, 0x90, MIB);
    printf("generated code %d\n", MIB);
    char *named = map_anonymous(MIB);
    memset(named, 1, MIB);
    if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, named, MIB, "cache of mine") == 0)
        printf("cache of mine %d\n", MIB);
}

static void *work(void *argument)
{
    char name[16];
    snprintf(name, sizeof(name), "worker-%d", (int)(size_t)argument);
    prctl(PR_SET_NAME, name);
    volatile char deep[256 * 1024];
    for (size_t i = 0; i < sizeof(deep); i += 4096)
        deep[i] = 1;
    volatile char *block = NULL;
    for (size_t left = ARENA_BLOCK; left > 0; left -= 65536) {
        block = malloc(65536);
        memset((char *)block, 1, 65536);
    }
    pthread_barrier_wait(&ready);
    for (;;)
        pause();
    return NULL;
}

static void *idle(void *argument)
{
    pthread_barrier_wait(&ready);
    for (;;)
        pause();
    return argument;
}

static void start_threads(void *(*body)(void *), size_t count)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_barrier_init(&ready, NULL, (unsigned)count + 1);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, body == idle ? 64 * 1024 : MIB);
    for (size_t i = 0; i < count; i++)
        if (pthread_create(&thread, &attributes, body, (void *)i) != 0)
            exit(1);
    pthread_barrier_wait(&ready);
}

/* What waits in system calls counts the interruptions of each; epoll_wait is where one may be. */
static void *wait_in(void *argument)
{
    bool in_epoll = argument != NULL;
    int epoll = epoll_create1(0);
    struct epoll_event event;
    pthread_barrier_wait(&ready);
    for (int i = 0; i < 200; i++) {
        errno = 0;
        int status = in_epoll ? epoll_wait(epoll, &event, 1, 20)
                              : nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        if (status < 0)
            printf("%s %s\n", in_epoll ? "epoll" : "sleep", strerror(errno));
    }
    puts("done");
    exit(0);
}

static void report_and_wait(void)
{
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "threads") == 0)
        start_threads(idle, 1000);
    if (strcmp(mode, "leaderless") == 0) {
        start_threads(work, 1);
        puts("ready");
        fflush(stdout);
        pthread_exit(NULL);
    }
    if (strcmp(mode, "epoll") == 0 || strcmp(mode, "sleep") == 0) {
        pthread_barrier_init(&ready, NULL, 1);
        puts("ready");
        fflush(stdout);
        wait_in(strcmp(mode, "epoll") == 0 ? &ready : NULL);
    }
    if (strcmp(mode, "memory") == 0) {
        setvbuf(stdout, NULL, _IOFBF, 4096);
        memset(large_bss, 1, BSS_BYTES);
        printf("bss %d\n", BSS_BYTES);
        share_memory();
        map_deleted_file(argv[2]);
        map_oddities();
        start_threads(work, THREADS);
        printf("malloc arenas %d\n", THREADS * ARENA_BLOCK);
    }
    report_and_wait();
}
