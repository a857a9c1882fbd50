/*
 * signals.c - a program with SIGUSR1 plans of its own.
 *
 *     signals MODE     sends itself the signal twice and says all it sees
 *
 * What it prints must not depend on the preload.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static volatile sig_atomic_t seen, sent_by_us, blocked_inside;

static void plain_handler(int number)
{
    sigset_t now;

    sigprocmask(SIG_BLOCK, NULL, &now);
    blocked_inside = sigismember(&now, number) + 2 * sigismember(&now, SIGHUP);
    seen++;
}

static void info_handler(int number, siginfo_t *info, void *context)
{
    plain_handler(number);
    if (info && context && info->si_signo == SIGUSR1 && info->si_pid == getpid())
        sent_by_us++;
}

static void describe(void)
{
    struct sigaction now;
    const char *what = "another";

    sigaction(SIGUSR1, NULL, &now);
    if (now.sa_handler == SIG_DFL)
        what = "default";
    else if (now.sa_handler == SIG_IGN)
        what = "ignored";
    else if (now.sa_handler == plain_handler)
        what = "plain";
    else if (now.sa_sigaction == info_handler)
        what = "info";
    printf("handler %s, flags %x, hup in mask %d\n", what, (unsigned)now.sa_flags & ~0x4000000u,
           sigismember(&now.sa_mask, SIGHUP));
}

static void install(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_flags = flags}, old;

    if (flags & SA_SIGINFO)
        action.sa_sigaction = info_handler;
    else
        action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGHUP);
    sigaction(SIGUSR1, &action, &old);
    printf("before: %s\n", old.sa_handler == SIG_DFL ? "default" : "something");
}

static void raise_signal(int times)
{
    while (times-- > 0)
        raise(SIGUSR1);
}

static void wait_blocked(void)
{
    sigset_t set;
    int number = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    sigwait(&set, &number);
    printf("waited for %d\n", number == SIGUSR1);
    raise(SIGUSR1);
    struct signalfd_siginfo info;
    int fd = signalfd(-1, &set, 0);
    printf("read %d\n", read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR1);
}

static void call_signal(const char *mode)
{
    void (*old)(int);

    if (strcmp(mode, "sysv") == 0)
        old = sysv_signal(SIGUSR1, plain_handler);
    else if (strcmp(mode, "ssignal") == 0)
        old = ssignal(SIGUSR1, plain_handler);
    else
        old = signal(SIGUSR1, plain_handler);
    printf("was default %d\n", old == SIG_DFL);
}

static void run(const char *mode)
{
    bool again = strcmp(mode, "again") == 0;

    if (strcmp(mode, "plain") == 0)
        install(plain_handler, SA_RESTART);
    else if (strcmp(mode, "info") == 0)
        install(NULL, SA_SIGINFO);
    else if (strcmp(mode, "reset") == 0)
        install(plain_handler, (int)SA_RESETHAND);
    else if (strcmp(mode, "nodefer") == 0)
        install(plain_handler, SA_NODEFER);
    else if (strcmp(mode, "ignore") == 0)
        install(SIG_IGN, 0);
    else if (strcmp(mode, "wait") == 0)
        wait_blocked();
    else
        call_signal(mode);
    if (again)
        printf("was plain %d\n", signal(SIGUSR1, SIG_IGN) == plain_handler);
    if (strcmp(mode, "wait") != 0)
        raise_signal(strcmp(mode, "reset") == 0 || strcmp(mode, "sysv") == 0 ? 1 : 2);
}

int main(int count, char **arguments)
{
    run(count > 1 ? arguments[1] : "");
    describe();
    printf("seen %d, sent by us %d, blocked inside %d\n", seen, sent_by_us, blocked_inside);
    return 0;
}
