/* The mmap family: record, call the real function, return. */
#include "hook.h"

#include "preload/ground/permit.h"
#include "preload/ground/sys.h"
#include "preload/tables/range.h"
#include "preload/views/aside.h"
#include "preload/views/tracker_range.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static size_t whole_pages(size_t bytes)
{
    size_t page = getauxval(AT_PAGESZ);
    return (bytes + page - 1) & ~(page - 1);
}

/* real.mmap() of memory that grows down by itself, as stacks do: none of ours is to be in its way. */
static void *map_growing(void *hint, size_t bytes, int protection, int flags)
{
    if (!hint && !(flags & MAP_FIXED))
        hint = sys_roomy_place(bytes);
    void *at = real.mmap(hint, bytes, protection, flags, -1, 0);
    if (at != MAP_FAILED)
        sys_leave_room(at);
    return at;
}

static bool grows(int flags)
{
    return flags & MAP_GROWSDOWN && flags & MAP_ANONYMOUS;
}

/* Records a mapping for the function this expands in; `own` is what hook_enter() said. */
#define RECORD_MAP(own, at, bytes)                                                \
    do {                                                                          \
        const void *caller_ = __builtin_return_address(0);                        \
        bool none_ = (at) == MAP_FAILED || tracker_claim((at), (bytes), caller_); \
        if (own) {                                                                \
            const struct unwind_start start_ = UNWIND_HERE();                     \
            if (!none_)                                                           \
                tracker_map((own), (at), (bytes), &start_);                       \
            guard_leave(own);                                                     \
        } else if (!none_ && !aside_map((at), (bytes))) {                         \
            tracker_missed(caller_);                                              \
        }                                                                         \
    } while (0)

HOOK void *mmap(void *hint, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (!real_resolve())
        return (void *)sys_call6(SYS_mmap, (long)hint, (long)bytes, protection, flags, fd, offset);
    struct guard_thread *own = hook_enter();
    void *at = grows(flags) ? map_growing(hint, bytes, protection, flags)
                            : real.mmap(hint, bytes, protection, flags, fd, offset);
    RECORD_MAP(own, at, whole_pages(bytes));
    return at;
}

HOOK void *mmap64(void *hint, size_t bytes, int protection, int flags, int fd, off64_t offset)
{
    if (!real_resolve())
        return (void *)sys_call6(SYS_mmap, (long)hint, (long)bytes, protection, flags, fd, offset);
    struct guard_thread *own = hook_enter();
    void *at = grows(flags)  ? map_growing(hint, bytes, protection, flags)
               : real.mmap64 ? real.mmap64(hint, bytes, protection, flags, fd, offset)
                             : real.mmap(hint, bytes, protection, flags, fd, offset);
    RECORD_MAP(own, at, whole_pages(bytes));
    return at;
}

static int unmap_aside(void *at, size_t bytes)
{
    bool held = aside_hold();
    int result = real.munmap(at, bytes);
    if (result == 0)
        aside_unmap(at, whole_pages(bytes), held);
    if (held)
        aside_release();
    return result;
}

HOOK int munmap(void *at, size_t bytes)
{
    if (!real_resolve())
        return (int)sys_call2(SYS_munmap, (long)at, (long)bytes);
    struct guard_thread *own = hook_enter();
    if (!own)
        return unmap_aside(at, bytes);
    bool held = tracker_hold(own);
    int result = real.munmap(at, bytes);
    if (held && result == 0)
        tracker_unmap(at, whole_pages(bytes));
    if (held)
        tracker_release();
    guard_leave(own);
    return result;
}

HOOK void *mremap(void *from, size_t from_bytes, size_t to_bytes, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    void *target = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? va_arg(more, void *) : NULL;
    va_end(more);
    struct guard_thread *own = real_resolve() ? hook_enter() : NULL;
    bool held = own && tracker_hold(own), known = true;
    const struct unwind_start start = UNWIND_HERE();
    void *to = real.mremap(from, from_bytes, to_bytes, flags, target);
    if (held && to != MAP_FAILED)
        known = tracker_remap(&(struct tracker_move){.from = from,
                                                     .from_bytes = whole_pages(from_bytes),
                                                     .to = to,
                                                     .to_bytes = whole_pages(to_bytes),
                                                     .keep = flags & MREMAP_DONTUNMAP});
    if (held)
        tracker_release();
    if (!known)
        tracker_map(own, to, whole_pages(to_bytes), &start);
    if (own)
        guard_leave(own);
    return to;
}

/* The program break went from `before` to `after`: no rounding, the kernel keeps none either. */
static void break_moved(struct guard_thread *own, void *before, void *after,
                        const struct unwind_start *start)
{
    if (after > before) {
        tracker_map(own, before, (size_t)((char *)after - (char *)before), start);
    } else if (after < before && tracker_hold(own)) {
        tracker_unmap(after, (size_t)((char *)before - (char *)after));
        tracker_release();
    }
}

HOOK int brk(void *end)
{
    struct guard_thread *own = real_resolve() ? hook_enter() : NULL;
    if (!own)
        return real.brk(end);
    const struct unwind_start start = UNWIND_HERE();
    void *before = real.sbrk(0);
    int result = real.brk(end);
    if (result == 0 && before != (void *)-1)
        break_moved(own, before, end, &start);
    guard_leave(own);
    return result;
}

HOOK void *sbrk(intptr_t increment)
{
    struct guard_thread *own = real_resolve() && increment != 0 ? hook_enter() : NULL;
    if (!own)
        return real.sbrk(increment);
    const struct unwind_start start = UNWIND_HERE();
    void *before = real.sbrk(increment);
    if (before != (void *)-1)
        break_moved(own, before, (char *)before + increment, &start);
    guard_leave(own);
    return before;
}

static size_t segment_bytes(int id)
{
    struct shmid_ds segment;
    long result =
        !permit_has(PERMIT_FILES) ? -EPERM : sys_call3(SYS_shmctl, id, IPC_STAT, (long)&segment);
    return sys_failed(result) ? 0 : whole_pages(segment.shm_segsz);
}

HOOK void *shmat(int id, const void *hint, int flags)
{
    if (!real_resolve())
        return MAP_FAILED;
    struct guard_thread *own = hook_enter();
    void *at = real.shmat(id, hint, flags);
    RECORD_MAP(own, at, segment_bytes(id));
    return at;
}

HOOK int shmdt(const void *at)
{
    uintptr_t start, end;
    struct guard_thread *own = real_resolve() ? hook_enter() : NULL;
    bool held = own && guard_record(own), known = false;
    if (held) {
        guard_set(GUARD_CALLING); /* the lock may be held for a system call */
        known = range_find((uintptr_t)at, &start, &end) != 0 && start == (uintptr_t)at;
        held = tracker_hold(own);
    }
    int result = real.shmdt(at);
    if (held && result == 0 && known)
        tracker_unmap((void *)start, end - start);
    if (held)
        tracker_release();
    if (own)
        guard_leave(own);
    return result;
}
