/* The mmap family: record, call the real function, return. */
#include "hook.h"

#include "range.h"
#include "sys.h"

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

/* Records a mapping for the function this expands in; `recording` is what hook_enter() said. */
#define RECORD_MAP(recording, at, bytes)                      \
    do {                                                      \
        if (recording) {                                      \
            const struct unwind_start start_ = UNWIND_HERE(); \
            if ((at) != MAP_FAILED)                           \
                tracker_map((at), (bytes), &start_);          \
            guard_leave();                                    \
        } else if ((at) != MAP_FAILED) {                      \
            tracker_missed();                                 \
        }                                                     \
    } while (0)

HOOK void *mmap(void *hint, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (!real_resolve())
        return (void *)sys_call6(SYS_mmap, (long)hint, (long)bytes, protection, flags, fd, offset);
    bool recording = hook_enter();
    void *at = real.mmap(hint, bytes, protection, flags, fd, offset);
    RECORD_MAP(recording, at, whole_pages(bytes));
    return at;
}

HOOK void *mmap64(void *hint, size_t bytes, int protection, int flags, int fd, off64_t offset)
{
    if (!real_resolve())
        return (void *)sys_call6(SYS_mmap, (long)hint, (long)bytes, protection, flags, fd, offset);
    bool recording = hook_enter();
    void *at = real.mmap64 ? real.mmap64(hint, bytes, protection, flags, fd, offset)
                           : real.mmap(hint, bytes, protection, flags, fd, offset);
    RECORD_MAP(recording, at, whole_pages(bytes));
    return at;
}

HOOK int munmap(void *at, size_t bytes)
{
    if (!real_resolve())
        return (int)sys_call2(SYS_munmap, (long)at, (long)bytes);
    if (!hook_enter())
        return real.munmap(at, bytes);
    tracker_hold();
    int result = real.munmap(at, bytes);
    if (result == 0)
        tracker_unmap(at, whole_pages(bytes));
    tracker_release();
    guard_leave();
    return result;
}

HOOK void *mremap(void *from, size_t from_bytes, size_t to_bytes, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    void *target = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? va_arg(more, void *) : NULL;
    va_end(more);
    if (!real_resolve() || !hook_enter())
        return real.mremap(from, from_bytes, to_bytes, flags, target);
    const struct unwind_start start = UNWIND_HERE();
    bool known = true;
    tracker_hold();
    void *to = real.mremap(from, from_bytes, to_bytes, flags, target);
    if (to != MAP_FAILED)
        known = tracker_remap(&(struct tracker_move){.from = from,
                                                     .from_bytes = whole_pages(from_bytes),
                                                     .to = to,
                                                     .to_bytes = whole_pages(to_bytes),
                                                     .keep = flags & MREMAP_DONTUNMAP});
    tracker_release();
    if (!known)
        tracker_map(to, whole_pages(to_bytes), &start);
    guard_leave();
    return to;
}

/* The program break went from `before` to `after`: no rounding, the kernel keeps none either. */
static void break_moved(void *before, void *after, const struct unwind_start *start)
{
    if (after > before) {
        tracker_map(before, (size_t)((char *)after - (char *)before), start);
    } else if (after < before) {
        tracker_hold();
        tracker_unmap(after, (size_t)((char *)before - (char *)after));
        tracker_release();
    }
}

HOOK int brk(void *end)
{
    if (!real_resolve() || !hook_enter())
        return real.brk(end);
    const struct unwind_start start = UNWIND_HERE();
    void *before = real.sbrk(0);
    int result = real.brk(end);
    if (result == 0 && before != (void *)-1)
        break_moved(before, end, &start);
    guard_leave();
    return result;
}

HOOK void *sbrk(intptr_t increment)
{
    if (!real_resolve() || increment == 0 || !hook_enter())
        return real.sbrk(increment);
    const struct unwind_start start = UNWIND_HERE();
    void *before = real.sbrk(increment);
    if (before != (void *)-1)
        break_moved(before, (char *)before + increment, &start);
    guard_leave();
    return before;
}

static size_t segment_bytes(int id)
{
    struct shmid_ds segment;
    long result = sys_call3(SYS_shmctl, id, IPC_STAT, (long)&segment);
    return sys_failed(result) ? 0 : whole_pages(segment.shm_segsz);
}

HOOK void *shmat(int id, const void *hint, int flags)
{
    if (!real_resolve())
        return MAP_FAILED;
    bool recording = hook_enter();
    void *at = real.shmat(id, hint, flags);
    RECORD_MAP(recording, at, segment_bytes(id));
    return at;
}

HOOK int shmdt(const void *at)
{
    uintptr_t start, end;
    if (!real_resolve() || !hook_enter())
        return real.shmdt(at);
    guard_set(GUARD_RECORDING);
    bool known = range_find((uintptr_t)at, &start, &end) != 0 && start == (uintptr_t)at;
    tracker_hold();
    int result = real.shmdt(at);
    if (result == 0 && known)
        tracker_unmap((void *)start, end - start);
    tracker_release();
    guard_leave();
    return result;
}
