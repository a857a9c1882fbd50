/*
 * A library that allocates whenever the loader calls it: constructor, destructor, resolver of an indirect
 * function. SIDE names its functions, ROOM_BYTES is the size of its frames: each build has other rules
 * at other addresses.
 */
#include "adversary.h"

#include <stdlib.h>

#define JOIN(a, b)    a##_##b
#define NAME(a, b)    JOIN(a, b)
#define SITE(place)   NAME(SIDE, place)
#define TEXT_OF(name) #name
#define TEXT(name)    TEXT_OF(name)

static void *volatile sink;

static void allocate(void)
{
    sink = malloc(40);
    free(sink);
}

__attribute__((constructor)) PLACE static void SITE(constructor)(void)
{
    allocate();
    STAY();
}

__attribute__((destructor)) PLACE static void SITE(destructor)(void)
{
    allocate();
    STAY();
}

PLACE static void SITE(leaf)(void)
{
    char room[ROOM_BYTES];
    __asm__ volatile("" : : "r"(room) : "memory");
    allocate();
    __asm__ volatile("" : : "r"(room) : "memory");
}

typedef void (*place_fn)(void);

/* Called by the loader, on the first call of the function. */
PLACE static place_fn SITE(resolver)(void)
{
    allocate();
    return SITE(leaf);
}

__attribute__((visibility("default"))) void SITE(chosen)(void)
    __attribute__((ifunc(TEXT(SITE(resolver)))));

__attribute__((visibility("default"))) void plugin_run(place_fn leaf);

void plugin_run(place_fn leaf)
{
    char room[2 * ROOM_BYTES];
    __asm__ volatile("" : : "r"(room) : "memory");
    SITE(chosen)();
    leaf();
    __asm__ volatile("" : : "r"(room) : "memory");
}
