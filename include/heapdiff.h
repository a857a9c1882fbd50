/*
 * heapdiff.h - what a program may ask of heapdiff while it runs under the preload.
 *
 * Every function is a weak symbol: a program that uses them links without any library, and without
 * libheapdiff.so preloaded the calls do nothing (heapdiff_enabled() is then 0). Valid C11 and C++.
 * Link position-dependent programs as usual; no flag is needed.
 */
#ifndef HEAPDIFF_H
#define HEAPDIFF_H

#ifdef __cplusplus
extern "C" {
#endif

#define HEAPDIFF_API_VERSION 1

/*
 * The preload's side, resolved by the dynamic linker; NULL without it. Call the functions below
 * instead.
 */
extern int heapdiff_preload_snapshot(const char *path) __attribute__((weak));
extern int heapdiff_preload_mark_collection(const char *reason) __attribute__((weak));
extern int heapdiff_preload_enabled(void) __attribute__((weak));
extern void heapdiff_preload_pause(void) __attribute__((weak));
extern void heapdiff_preload_resume(void) __attribute__((weak));

/* 1 when this process is being recorded, else 0. */
static inline int heapdiff_enabled(void)
{
    return heapdiff_preload_enabled ? heapdiff_preload_enabled() : 0;
}

/*
 * Writes a snapshot to `path`, or by the out= pattern when `path` is NULL. Returns 0, or an errno
 * value (ENOSYS without the preload). A file that exists at `path` is replaced atomically.
 */
static inline int heapdiff_snapshot(const char *path)
{
    return heapdiff_preload_snapshot ? heapdiff_preload_snapshot(path) : 38 /* ENOSYS */;
}

/*
 * Says that a garbage collection, a purge or any other moment worth comparing against has just
 * finished; `reason` (NULL is legal) is kept with it. Returns 0, or ENOSYS without the preload.
 */
static inline int heapdiff_mark_collection(const char *reason)
{
    return heapdiff_preload_mark_collection ? heapdiff_preload_mark_collection(reason) : 38;
}

/*
 * Between pause and resume the calling thread's allocations are not recorded (frees of recorded
 * blocks are). Calls nest.
 */
static inline void heapdiff_pause(void)
{
    if (heapdiff_preload_pause)
        heapdiff_preload_pause();
}

static inline void heapdiff_resume(void)
{
    if (heapdiff_preload_resume)
        heapdiff_preload_resume();
}

#ifdef __cplusplus
}
#endif

#endif
