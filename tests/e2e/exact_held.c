/*
 * exact_held: while its snapshot is taken, a thread of it is inside munmap and has the preload's lock of ranges;
 * others stop it there and let it go on.
 *
 * A filter of its own hands two calls to another thread of the program, who puts them in order: the
 * snapshot's membarrier, before which ranges have been listed once and after which threads are stopped, waits for the
 * munmap to begin; the munmap waits until it comes a second time: a stop interrupts it, and it begins again. Prints
 * "ready", then "released", and ends with its input. Exits 77 where the kernel has no such filters.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { REGION_BYTES = 4951 * 4096, SKIP = 77 }; /* nobody else's munmap has this size */

static sem_t begun; /* the snapshot has: munmap may */

/* The descriptor of the calls that are held; -1: there are no such filters. By libc's own syscall(), as the
   preload would be quiet under a filter that it sees. */
static int listen_to_calls(void)
{
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    long (*make)(long, ...) = libc ? (long (*)(long, ...))dlsym(libc, "syscall") : NULL;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, REGION_BYTES, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};
    if (!make || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return (int)make(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                     &filter);
}

static void say(const char *line)
{
    puts(line);
    fflush(stdout);
}

/* The next call that is held. */
static struct seccomp_notif take_call(int listener)
{
    struct seccomp_notif call;
    do
        memset(&call, 0, sizeof(call));
    while (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0 &&
           (errno == EINTR || errno == ENOENT));
    return call;
}

/* Lets it be made. One that has been interrupted since comes again. */
static void answer(int listener, __u64 id)
{
    struct seccomp_notif_resp go_on = {.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &go_on);
}

static void *put_in_order(void *listener)
{
    __u64 barrier = 0;
    for (bool unmaps = false;;) {
        struct seccomp_notif call = take_call(*(int *)listener);
        if (call.data.nr == SYS_munmap && !unmaps) {
            unmaps = true;
            answer(*(int *)listener, barrier);
        } else if (call.data.nr == SYS_membarrier && barrier == 0) {
            barrier = call.id;
            sem_post(&begun);
        } else {
            answer(*(int *)listener, call.id);
        }
    }
    return NULL;
}

static void *unmap(void *region)
{
    void *volatile block = malloc(100); /* where nobody else has recorded there is no barrier */
    free(block);
    sem_wait(&begun);
    munmap(region, REGION_BYTES);
    say("released");
    return NULL;
}

int main(void)
{
    int listener = listen_to_calls();
    void *region =
        mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_t orderer, unmapper;
    sigset_t snapshot;
    if (listener < 0)
        return SKIP;
    sigemptyset(&snapshot);
    sigaddset(&snapshot, SIGUSR1); /* the signal is for the main thread */
    pthread_sigmask(SIG_BLOCK, &snapshot, NULL);
    sem_init(&begun, 0, 0);
    if (pthread_create(&orderer, NULL, put_in_order, &listener) != 0 ||
        pthread_create(&unmapper, NULL, unmap, region) != 0)
        return 3;
    pthread_sigmask(SIG_UNBLOCK, &snapshot, NULL);
    say("ready");
    pthread_join(unmapper, NULL);
    while (getchar() != EOF)
        continue;
    return 0;
}
