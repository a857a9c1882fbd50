/* What a native extension does with malloc, for any language that can call a C function: each call is a round of a
   leak, a plateau and a sawtooth. Its argument is nobody's business: it may be a state of Lua. */
#include <stdlib.h>

enum { LEAKS = 2000, BLOCK_BYTES = 100, FLAT = 3000, TEETH = 1000 };

__attribute__((visibility("default"))) int native_round(void *unused);

static void *volatile kept; /* else nobody would see the blocks, and they could go */

static __attribute__((noinline)) void leak_site(void)
{
    for (int i = 0; i < LEAKS; i++)
        kept = malloc(BLOCK_BYTES);
}

static void *volatile flat[FLAT];

static __attribute__((noinline)) void plateau_site(int round)
{
    for (int i = 0; i < FLAT; i++)
        if (round == 0 || i % 10 == 0) {
            free(flat[i]);
            flat[i] = malloc(BLOCK_BYTES);
        }
}

static void *volatile teeth[4 * TEETH];
static unsigned tooth_count;

static __attribute__((noinline)) void sawtooth_site(int round)
{
    if (round % 4 == 3)
        while (tooth_count > 0)
            free(teeth[--tooth_count]);
    else
        for (int i = 0; i < TEETH; i++)
            teeth[tooth_count++] = malloc(50);
}

int native_round(void *unused)
{
    static int round;
    (void)unused;
    leak_site();
    plateau_site(round);
    sawtooth_site(round);
    round++;
    return 0;
}
