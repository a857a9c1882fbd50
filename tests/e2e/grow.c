/* Grows by a MiB every 20 ms, 60 times, and keeps all of it: grow. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *volatile sink;

int main(void)
{
    for (int i = 0; i < 60; i++) {
        sink = malloc(1 << 20);
        memset(sink, i, 1 << 20);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return 0;
}
