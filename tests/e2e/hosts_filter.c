/*
 * hosts_filter.c - programs in a sandbox of their own: hosts_filter HOW ACTION [PROGRAM ARGUMENT...].
 *
 * HOW installs the filter: prctl, seccomp (for all threads), syscall (prctl by number). It lets pass what an
 * allocating program needs, and no more; with the rest it does as ACTION says: kill, errno, zero (it pretends that
 * the call was made), trap. Threads and a child allocate. Or the filter does so with what heapdiff
 * would like to have, and PROGRAM is run inside.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, LEVELS = 13, SITES = 1 << LEVELS, PAIRS = 20000 };

static void *volatile sink;
static volatile int begun;
static volatile int left = THREADS, here;
static int silence[2];

__attribute__((noinline)) static void filter_site(int count)
{
    for (int i = 0; i < count; i++)
        sink = malloc(40);
    __asm__ volatile("");
}

/* As many stacks as there are paths: the tables must grow. */
__attribute__((noinline)) static void spread(unsigned path, int level)
{
    if (level == 0)
        sink = malloc(24);
    else if (path & 1)
        spread(path >> 1, level - 1);
    else
        spread(path >> 1, level - 1);
    __asm__ volatile("");
}

static void *thread_main(void *argument)
{
    free(malloc(64)); /* the C library looks around at a thread's first */
    __atomic_fetch_add(&here, 1, __ATOMIC_SEQ_CST);
    while (!begun)
        ;
    for (int i = 0; i < PAIRS; i++)
        free(malloc(64));
    for (unsigned i = 0; i < SITES; i++)
        spread(i, LEVELS);
    __atomic_fetch_sub(&left, 1, __ATOMIC_SEQ_CST);
    for (;;) /* its end would take more system calls */
        if (read(silence[0], argument, 1) != 1)
            return argument;
}

static unsigned action_of(const char *name)
{
    if (strcmp(name, "kill") == 0)
        return SECCOMP_RET_KILL_PROCESS;
    if (strcmp(name, "trap") == 0)
        return SECCOMP_RET_TRAP;
    return SECCOMP_RET_ERRNO | (strcmp(name, "zero") == 0 ? 0 : ENOSYS);
}

enum { CALLS_MAX = 32 };

/* What an allocating program needs; what heapdiff would like to have, and most programs never need. */
static const int needed[] = {SYS_read,     SYS_write,        SYS_mmap,  SYS_munmap,
                             SYS_brk,      SYS_exit_group,   SYS_exit,  SYS_mremap,
                             SYS_mprotect, SYS_rt_sigreturn, SYS_futex, SYS_getrandom,
                             SYS_madvise,  SYS_clone,        SYS_wait4};
static const int liked[] = {SYS_fallocate, SYS_renameat2,  SYS_gettid,
                            SYS_madvise,   SYS_membarrier, SYS_faccessat2};

/* The calls listed get `action`, all others `otherwise`. */
static int install(const char *how, const int *calls, unsigned count, unsigned action,
                   unsigned otherwise)
{
    struct sock_filter code[CALLS_MAX + 3];
    struct sock_fprog program = {(unsigned short)(count + 3), code};

    code[0] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < count; i++)
        code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i],
                                                   (unsigned char)(count - i), 0);
    code[count + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise);
    code[count + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (strcmp(how, "seccomp") == 0)
        return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
                            &program);
    if (strcmp(how, "syscall") == 0)
        return (int)syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Filters that are not there, or end where the memory does. */
static int bad(void)
{
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sock_fprog program = {64, (struct sock_filter *)(void *)(page + 4096 - 8)};
    struct sock_fprog *cut = (struct sock_fprog *)(void *)(page + 4096 - 8);
    int refused = 0;

    munmap(page + 4096, 4096);
    refused += prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == -1 && errno == EFAULT;
    refused += prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, cut) == -1 && errno == EFAULT;
    refused += prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 8L) == -1 && errno == EFAULT;
    refused += syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, -16L) == -1 && errno == EFAULT;
    return refused == 4;
}

/* What programs ask to find out what the kernel has: nothing is installed. */
static int probe(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return bad() && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) == -1 && errno == EFAULT &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) == -1 && errno == EFAULT &&
           syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &(unsigned){SECCOMP_RET_TRAP}) == 0;
}

/* A child of the sandbox: it need not be recorded, but must live. */
static int run_child(void)
{
    int status = -1;
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    if (child == 0) {
        filter_site(100);
        syscall(SYS_exit_group, 5);
    }
    syscall(SYS_wait4, child, &status, 0, NULL);
    return WEXITSTATUS(status);
}

static int run_inside(const char *how, const char *action)
{
    pthread_t thread;
    char byte;

    if (pipe(silence) != 0)
        return 4;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread, NULL, thread_main, &byte);
    while (here < THREADS)
        ;
    filter_site(3);
    if (install(how, needed, sizeof needed / sizeof needed[0], SECCOMP_RET_ALLOW,
                action_of(action)) != 0)
        return 3;
    begun = 1;
    filter_site(4);
    for (unsigned i = 0; i < SITES; i++)
        spread(i, LEVELS);
    printf("child %d\n", run_child());
    while (left > 0)
        ;
    puts("ready");
    fflush(stdout);
    if (read(0, &byte, 1) > 0) /* until the test has looked */
        filter_site(5);
    _exit(6);
}

int main(int count, char **arguments)
{
    if (count < 3)
        return 2;
    printf("probed %d\n", probe());
    fflush(stdout);
    if (count == 3)
        return run_inside(arguments[1], arguments[2]);
    if (install(arguments[1], liked, sizeof liked / sizeof liked[0], action_of(arguments[2]),
                SECCOMP_RET_ALLOW) != 0)
        return 3;
    return execv(arguments[3], arguments + 3);
}
