/* A program that uses heapdiff.h: api PATH. Prints what each call said. */
#include "heapdiff.h"

#include <stdio.h>
#include <stdlib.h>

static void *volatile sink;

__attribute__((noinline)) static void recorded_site(void)
{
    for (int i = 0; i < 4; i++)
        sink = malloc(25);
    __asm__ volatile("");
}

__attribute__((noinline)) static void paused_site(void)
{
    for (int i = 0; i < 10; i++)
        sink = malloc(35);
    __asm__ volatile("");
}

int main(int count, char **arguments)
{
    const char *path = count > 1 ? arguments[1] : NULL;
    void *early;

    recorded_site();
    early = malloc(1000);
    heapdiff_pause();
    heapdiff_pause();
    paused_site();
    free(early);
    heapdiff_resume();
    paused_site();
    heapdiff_resume();
    printf("enabled %d\n", heapdiff_enabled());
    printf("snapshot %d\n", heapdiff_snapshot(path));
    recorded_site();
    printf("mark %d\n", heapdiff_mark_collection("test"));
    printf("snapshot %d\n", heapdiff_snapshot(NULL));
    return 0;
}
