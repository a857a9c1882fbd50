/*
 * real.h - the functions behind the hooks: the next definition in the program's search order.
 *
 * What it is: a table filled by dlsym(RTLD_NEXT): the program's own allocator, never libc's by name.
 *   dlsym itself may allocate before the table stands: boot memory serves that.
 * Owns: the table, the boot memory.
 * Context: real_resolve() at the first hooked call of the process, whoever makes it.
 * Not here: recording.
 */
#ifndef HEAPDIFF_PRELOAD_REAL_H
#define HEAPDIFF_PRELOAD_REAL_H

#include "preload/ground/libc.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef void (*real_handler)(int);

struct epoll_event;
struct _IO_FILE; /* stdio's FILE, by the name that glibc and musl share */

/* What posix_spawn() and posix_spawnp() take; file actions and attributes are passed on unseen. */
#define REAL_SPAWN (pid_t *, const char *, const void *, const void *, char *const *, char *const *)

#define REAL_EPOLL (int, struct epoll_event *, int, int, const sigset_t *)

/*
 * X(result, name, parameters): every function that is hooked and passed on. What libc does not have is none of them:
 * dlsym allocates to say so, and may be called from within an allocator that is only about to start.
 */
#define REAL_FUNCTIONS(X)                                                    \
    X(void *, malloc, (size_t))                                              \
    X(void *, calloc, (size_t, size_t))                                      \
    X(void *, realloc, (void *, size_t))                                     \
    X(void, free, (void *))                                                  \
    X(int, posix_memalign, (void **, size_t, size_t))                        \
    X(void *, aligned_alloc, (size_t, size_t))                               \
    X(void *, memalign, (size_t, size_t))                                    \
    X(void *, valloc, (size_t))                                              \
    X(void *, pvalloc, (size_t))                                             \
    X(size_t, malloc_usable_size, (void *))                                  \
    X(int, malloc_trim, (size_t))                                            \
    X(void *, mmap, (void *, size_t, int, int, int, off_t))                  \
    X(void *, mmap64, (void *, size_t, int, int, int, off64_t))              \
    X(int, munmap, (void *, size_t))                                         \
    X(void *, mremap, (void *, size_t, size_t, int, ...))                    \
    X(int, brk, (void *))                                                    \
    X(void *, sbrk, (intptr_t))                                              \
    X(void *, shmat, (int, const void *, int))                               \
    X(int, shmdt, (const void *))                                            \
    X(int, dlclose, (void *))                                                \
    X(pid_t, _Fork, (void))                                                  \
    X(int, execve, (const char *, char *const *, char *const *))             \
    X(int, execv, (const char *, char *const *))                             \
    X(int, execvp, (const char *, char *const *))                            \
    X(int, execvpe, (const char *, char *const *, char *const *))            \
    X(int, fexecve, (int, char *const *, char *const *))                     \
    X(int, execveat, (int, const char *, char *const *, char *const *, int)) \
    X(void, _exit, (int))                                                    \
    X(void, _Exit, (int))                                                    \
    X(void, quick_exit, (int))                                               \
    X(int, sigaction, (int, const struct sigaction *, struct sigaction *))   \
    X(real_handler, signal, (int, real_handler))                             \
    X(real_handler, bsd_signal, (int, real_handler))                         \
    X(real_handler, ssignal, (int, real_handler))                            \
    X(real_handler, __sysv_signal, (int, real_handler))                      \
    X(int, posix_spawn, REAL_SPAWN)                                          \
    X(int, posix_spawnp, REAL_SPAWN)                                         \
    X(int, system, (const char *))                                           \
    X(int, epoll_wait, (int, struct epoll_event *, int, int))                \
    X(int, epoll_pwait, REAL_EPOLL)                                          \
    X(struct _IO_FILE *, popen, (const char *, const char *))                \
    X(char *, getenv, (const char *))                                        \
    X(int, prctl, (int, long, long, long, long))                             \
    X(long, syscall, (long, long, long, long, long, long, long))

struct real {
#define REAL_FIELD(result, name, parameters) result(*name) parameters;
    REAL_FUNCTIONS(REAL_FIELD)
#undef REAL_FIELD
    /* Of whoever comes before us in the program's search order; NULL: we are the first. */
    void *(*realloc_before)(void *, size_t);
    bool array_own; /* the allocator has a reallocarray() itself */
    void *cxx_new;  /* operator new(size_t) of the next library that has one; NULL: none */
    bool cxx_own;   /* ... and that library is the allocator itself: new is malloc there */
};

extern struct real real __attribute__((visibility("hidden"))); /* no detour by the GOT */

/* Fills the table in; cheap when it stands. Returns false while it is being filled in, further down
   the stack: use boot memory then. */
bool real_resolve(void);

/* The next definition of `name`, or NULL. */
void *real_next(const char *name);

/*
 * The `name` that code at `caller` means, by the loader's rules without us: of a library that defines it, its own; else that
 * of a library which it asks for; else the next one in the program, else `first`. One hook of ours stands for all of
 * these, also where the program has several libraries that know each other by versions, or by handles alone.
 * Not for hooks of the allocator: the loader is asked.
 */
uintptr_t real_meant(const char *name, const void *caller, uintptr_t first);

/* What was not found has left words for dlerror(), which would be taken for the program's: a name that
   is found clears them. Constructor only. */
void real_found_all(void);

/* The file of the allocator that comes before us, so that its blocks are never seen; NULL: none does. The
   program's own counts. */
const char *real_before(void);

/* The allocator's name by its library: "glibc", "jemalloc", "tcmalloc", "mimalloc", "other". */
const char *real_allocator(void);

/* Memory for the few calls dlsym makes; never given back. Zeroed. */
void *boot_alloc(size_t size_bytes);
enum { BOOT_BYTES = 16 << 10 }; /* glibc's dlsym asks for at most a few hundred */
extern unsigned char boot_memory[BOOT_BYTES] __attribute__((visibility("hidden")));
static inline bool boot_owns(const void *address)
{
    return (uintptr_t)address - (uintptr_t)boot_memory < BOOT_BYTES;
}
void boot_watch(
    void (*watch)(uintptr_t address)); /* tells a place in each of its spans (sample.h) */
/* Size of a boot block; the caller has checked boot_owns(). */
size_t boot_size(const void *address);

#endif
