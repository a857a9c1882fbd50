/* A library whose constructor takes SIGUSR1 before the preload's constructor runs. */
#include <signal.h>
#include <unistd.h>

static void early_handler(int number)
{
    (void)number;
    if (write(1, "early\n", 6) < 0)
        _exit(4);
}

__attribute__((constructor)) static void early_install(void)
{
    struct sigaction action = {.sa_handler = early_handler};

    sigaction(SIGUSR1, &action, NULL);
}
