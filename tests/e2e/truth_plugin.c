/* A library that allocates and is unloaded: its frames must survive it. */
#include <stdlib.h>

#ifndef PLUGIN_SITE
#define PLUGIN_SITE plugin_site
#endif

__attribute__((visibility("default"))) void plugin_run(void);

__attribute__((noinline)) static void PLUGIN_SITE(void)
{
    void *blocks[6];

    for (int i = 0; i < 6; i++)
        blocks[i] = malloc(90);
    free(blocks[0]);
    free(blocks[5]);
}

void plugin_run(void)
{
    PLUGIN_SITE();
    __asm__ volatile("");
}
