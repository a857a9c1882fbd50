/* A library for tests of loading and unloading, built twice: the frames are of CALLER_FRAME_BYTES. */

void caller_call(void (*leaf)(void));

__attribute__((visibility("default"), noinline)) void caller_call(void (*leaf)(void))
{
    char bytes[CALLER_FRAME_BYTES];
    __asm__ volatile("" : : "r"(bytes) : "memory");
    leaf();
    __asm__ volatile("" : : "r"(bytes) : "memory");
}
