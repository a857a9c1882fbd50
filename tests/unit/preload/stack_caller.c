/* A library for tests of loading and unloading, built twice: the frames are of CALLER_FRAME_BYTES. */
#include <stdlib.h>

void caller_call(void (*leaf)(void));
void caller_call_libc(void (*leaf)(void));

__attribute__((visibility("default"), noinline)) void caller_call(void (*leaf)(void))
{
    char bytes[CALLER_FRAME_BYTES];
    __asm__ volatile("" : : "r"(bytes) : "memory");
    leaf();
    __asm__ volatile("" : : "r"(bytes) : "memory");
}

/* Calls a function of libc, which the loader has to find first when it binds lazily. */
__attribute__((visibility("default"), noinline)) void caller_call_libc(void (*leaf)(void))
{
    char bytes[CALLER_FRAME_BYTES];
    __asm__ volatile("" : : "r"(bytes) : "memory");
    leaf();
    srandom(1);
    __asm__ volatile("" : : "r"(bytes) : "memory");
}
