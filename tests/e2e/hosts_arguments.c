/*
 * hosts_arguments.c - a sandbox that looks at arguments: to open a file it must be asked for in one of the ways that
 * heapdiff's table has, else the process is killed. A thread allocates; then a snapshot is written.
 */
#include "heapdiff.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    FLAGS_STRANGE =
        ~(O_RDWR | O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_CREAT | O_EXCL | O_NONBLOCK | O_NOCTTY)
};

static void *volatile sink;
static volatile int here;

__attribute__((noinline)) static void arguments_site(void)
{
    for (int i = 0; i < 9; i++)
        sink = malloc(40);
    __asm__ volatile("");
}

static void *thread_main(void *argument)
{
    sink = malloc(16);
    __atomic_store_n(&here, 1, __ATOMIC_SEQ_CST);
    for (;;)
        pause();
    return argument;
}

static int install(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (unsigned)FLAGS_STRANGE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
    pthread_t thread;
    if (argc != 2 || pthread_create(&thread, NULL, thread_main, NULL) != 0)
        return 2;
    while (!here)
        continue;
    arguments_site();
    if (install() != 0)
        return 3;
    _exit(heapdiff_snapshot(argv[1]) == 0 ? 6 : 1);
}
