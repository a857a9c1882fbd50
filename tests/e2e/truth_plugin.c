/* A library that allocates and is unloaded: its frames must survive it. */
#include <stdlib.h>

__attribute__((visibility("default"))) void plugin_run(void);

__attribute__((noinline)) static void plugin_site(void)
{
    void *blocks[6];

    for (int i = 0; i < 6; i++)
        blocks[i] = malloc(90);
    free(blocks[0]);
    free(blocks[5]);
}

void plugin_run(void)
{
    plugin_site();
    __asm__ volatile("");
}
