/* A library that allocates and frees around every fork, and asked for that before anybody else did. */
#include <pthread.h>
#include <stdlib.h>

static void *volatile kept;
static void *volatile spare;

/* New sites each: what is interned here is interned while heapdiff's tables stand still. */
static void before(void)
{
    spare = malloc(11);
}

static void after_parent(void)
{
    free(spare);
    spare = malloc(12);
    free(spare);
}

static void after_child(void)
{
    free(kept); /* the child's copy: the parent's lives on */
    spare = malloc(13);
}

__attribute__((noinline, used)) static void atfork_site(void)
{
    kept = malloc(500);
    __asm__ volatile("");
}

__attribute__((constructor)) static void start(void)
{
    atfork_site();
    pthread_atfork(before, after_parent, after_child);
}
