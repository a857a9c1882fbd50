/*
 * heapdiff.h - what a program may ask of heapdiff while it runs under the preload.
 *
 * Every function is a weak symbol: a program that uses them links without any library, and without
 * libheapdiff.so preloaded the calls do nothing (heapdiff_enabled() is then 0). Valid C11 and C++,
 * in position-independent programs and in others; no flag is needed.
 */
#ifndef HEAPDIFF_H
#define HEAPDIFF_H

#ifdef __cplusplus
extern "C" {
#endif

#define HEAPDIFF_API_VERSION 1

/* The preload's side, resolved by the dynamic linker; absent without it. Call the functions below
   instead. */
extern int heapdiff_preload_snapshot(const char *path) __attribute__((weak));
extern int heapdiff_preload_mark_collection(const char *reason) __attribute__((weak));
extern int heapdiff_preload_enabled(void) __attribute__((weak));
extern void heapdiff_preload_pause(void) __attribute__((weak));
extern void heapdiff_preload_resume(void) __attribute__((weak));

/*
 * The address of one of these, or NULL, read from the global offset table. In a program that is not
 * position-independent, &function would make the linker settle on NULL for good.
 */
#if defined(__x86_64__) && defined(__LP64__)
#define HEAPDIFF_FIND(pointer, function) \
    __asm__(".weak " #function "\n\tmovq " #function "@GOTPCREL(%%rip), %0" : "=r"(pointer))
#elif defined(__aarch64__) && defined(__LP64__)
#define HEAPDIFF_FIND(pointer, function)                      \
    __asm__(".weak " #function "\n\tadrp %0, :got:" #function \
            "\n\tldr %0, [%0, :got_lo12:" #function "]"       \
            : "=r"(pointer))
#else
#define HEAPDIFF_FIND(pointer, function) ((pointer) = (function))
#endif

/* 1 when this process is being recorded, else 0. */
static inline int heapdiff_enabled(void)
{
    int (*preload)(void);
    HEAPDIFF_FIND(preload, heapdiff_preload_enabled);
    return preload ? preload() : 0;
}

/*
 * Writes a snapshot to `path`, or by the out= pattern when `path` is NULL. Returns 0, or an errno
 * value (ENOSYS without the preload). A file that exists at `path` is replaced atomically.
 */
static inline int heapdiff_snapshot(const char *path)
{
    int (*preload)(const char *);
    HEAPDIFF_FIND(preload, heapdiff_preload_snapshot);
    return preload ? preload(path) : 38 /* ENOSYS */;
}

/*
 * Says that a garbage collection, a purge or any other moment worth comparing against has just
 * finished; `reason` (NULL is legal) is kept with it. Returns 0, or ENOSYS without the preload.
 */
static inline int heapdiff_mark_collection(const char *reason)
{
    int (*preload)(const char *);
    HEAPDIFF_FIND(preload, heapdiff_preload_mark_collection);
    return preload ? preload(reason) : 38 /* ENOSYS */;
}

/*
 * Between pause and resume the calling thread's allocations are not recorded (frees of recorded
 * blocks are). Calls nest.
 */
static inline void heapdiff_pause(void)
{
    void (*preload)(void);
    HEAPDIFF_FIND(preload, heapdiff_preload_pause);
    if (preload)
        preload();
}

static inline void heapdiff_resume(void)
{
    void (*preload)(void);
    HEAPDIFF_FIND(preload, heapdiff_preload_resume);
    if (preload)
        preload();
}

#ifdef __cplusplus
}
#endif

#endif
