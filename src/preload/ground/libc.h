/*
 * libc.h - what one C library declares and another does not.
 *
 * What it is: prototypes of the hooked functions that glibc's or musl's headers leave out, and names freed
 *   from their macros: musl's mmap64 is another word for mmap, our hooks are two.
 * Owns: nothing.
 * Context: where hooks are defined.
 * Not here: behaviour. What a C library lacks is NULL in `real` (real.h).
 */
#ifndef HEAPDIFF_PRELOAD_LIBC_H
#define HEAPDIFF_PRELOAD_LIBC_H

#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>

#undef mmap64

void *mmap64(void *hint, size_t bytes, int protection, int flags, int fd, off64_t offset);
void *pvalloc(size_t size);
int execveat(int directory, const char *path, char *const *arguments, char *const *environment,
             int flags);
void (*ssignal(int number, void (*handler)(int)))(int);
void (*sysv_signal(int number, void (*handler)(int)))(int);

#endif
