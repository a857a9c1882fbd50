#include "sandbox.h"

#include "listener.h"
#include "process.h"
#include "preload/ground/arena.h"
#include "preload/ground/permit.h"
#include "preload/ground/seccomp_filter.h"
#include "preload/ground/sys.h"
#include "preload/runtime/runtime.h"
#include "preload/unwind/unwind_memory.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

/* Stand for an address, size or path, for a descriptor, and for the working directory: a filter that
   looks at those can not know them either. */
enum { SOME = 0x10000, FD = 3 };
#define HERE ((uint64_t)AT_FDCWD)

enum {
    READ_WRITE = PROT_READ | PROT_WRITE,
    PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
    OPEN_OWN = O_RDWR | O_NOFOLLOW | O_CLOEXEC,
    OPEN_TO_LOOK = O_PATH | O_NOFOLLOW | O_CLOEXEC,
    OPEN_NEW = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
    OPEN_TRACE = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
    MOVE = MREMAP_MAYMOVE | MREMAP_FIXED,
    HOW_INVALID = 0x7fff,           /* as sys_readable() has it */
    PAGEMAP_SCAN_OURS = 0xc0606610, /* linux/fs.h: as page_table.c has it */
    /* A snapshot needs all of these. */
    FOR_SNAPSHOTS = PERMIT_WAITING | PERMIT_NUMBERS | PERMIT_SIGNALS | PERMIT_FILES
};

/* The calls that may be made once the program runs (README.md lists them by occasion), and what is not
   done any more where one of them is deadly. */
static const struct {
    uint32_t needed_for; /* PERMIT_* */
    int32_t number;
    uint64_t arguments[6];
} probes[] = {
    {PERMIT_PAGES, SYS_mmap, {0, SOME, READ_WRITE, PRIVATE, ~0ull, 0}},
    {PERMIT_PAGES, SYS_munmap, {SOME, SOME}},
    {PERMIT_ADVICE, SYS_madvise, {SOME, SOME, MADV_NOHUGEPAGE}},
    {PERMIT_ADVICE, SYS_madvise, {SOME, SOME, MADV_DONTNEED}},
    {PERMIT_ADVICE, SYS_madvise, {SOME, SOME, SYS_ADVICE_POPULATE}},
    {PERMIT_WAITING, SYS_sched_yield, {0}},
    {PERMIT_WAITING, SYS_nanosleep, {SOME, 0}},
    {PERMIT_WAITING, SYS_membarrier, {MEMBARRIER_EXPEDITED, 0}},
    {PERMIT_WAITING, SYS_membarrier, {MEMBARRIER_REGISTER, 0}},
    {PERMIT_WAITING, SYS_futex, {SOME, FUTEX_WAIT_OURS, SOME, SOME}},
    {PERMIT_WAITING, SYS_futex, {SOME, FUTEX_WAKE_OURS, INT32_MAX}},
    {PERMIT_NUMBERS, SYS_getpid, {0}},
    {PERMIT_NUMBERS, SYS_tgkill, {SOME, SOME, 0}},
    {PERMIT_NUMBERS, SYS_gettid, {0}},
    {PERMIT_SIGNALS, SYS_rt_sigprocmask, {SIG_BLOCK, SOME, SOME, 8}},
    {PERMIT_SIGNALS, SYS_rt_sigprocmask, {SIG_SETMASK, SOME, 0, 8}},
    {PERMIT_SIGNALS, SYS_rt_sigprocmask, {HOW_INVALID, SOME, 0, 8}},
    {PERMIT_SIGNALS, SYS_sigaltstack, {0, SOME}},
    {PERMIT_FILES, SYS_openat, {HERE, SOME, SYS_OPEN_TO_READ | O_CLOEXEC, 0}},
    {PERMIT_FILES, SYS_openat, {HERE, SOME, OPEN_OWN, 0}},
    {PERMIT_FILES, SYS_openat, {HERE, SOME, OPEN_NEW, 0644}},
    {PERMIT_FILES, SYS_openat, {HERE, SOME, OPEN_OWN | O_CREAT | O_EXCL, 0600}},
    {PERMIT_FILES, SYS_fcntl, {FD, F_DUPFD_CLOEXEC, FD}},
    {PERMIT_FILES, SYS_fstat, {FD, SOME}},
    {PERMIT_FILES, SYS_read, {FD, SOME, SOME}},
    {PERMIT_FILES, SYS_write, {FD, SOME, SOME}},
    {PERMIT_FILES, SYS_pwrite64, {FD, SOME, SOME, 0}},
    {PERMIT_FILES, SYS_close, {FD}},
    {PERMIT_FILES, SYS_prlimit64, {0, RLIMIT_FSIZE, 0, SOME}},
    {PERMIT_FILES, SYS_fallocate, {FD, 0, 0, SOME}},
    {PERMIT_FILES, SYS_mmap, {0, SOME, READ_WRITE, MAP_SHARED, FD, SOME}},
    {PERMIT_FILES, SYS_mremap, {SOME, SOME, SOME, MOVE, SOME}},
    {PERMIT_FILES, SYS_unlinkat, {HERE, SOME, 0}},
    {PERMIT_FILES, SYS_renameat, {HERE, SOME, HERE, SOME}},
    {PERMIT_FILES, SYS_renameat2, {HERE, SOME, HERE, SOME, 1}},
    {PERMIT_FILES, SYS_linkat, {HERE, SOME, HERE, SOME, 0}},
    {PERMIT_FILES, SYS_faccessat, {HERE, SOME, X_OK}},
    {PERMIT_FILES, SYS_faccessat2, {HERE, SOME, X_OK, AT_EACCESS}},
    {PERMIT_FILES, SYS_shmctl, {SOME, IPC_STAT, SOME}},
    {PERMIT_LINES, SYS_fstat, {2, SOME}},
    {PERMIT_LINES, SYS_openat, {HERE, SOME, OPEN_TRACE, 0644}},
    {PERMIT_LINES, SYS_ppoll, {SOME, 1, SOME}},
    {PERMIT_LINES, SYS_rt_sigpending, {SOME, 8}},
    {PERMIT_LINES, SYS_rt_sigtimedwait, {SOME, 0, SOME, 8}},
    {PERMIT_LINES, SYS_write, {2, SOME, SOME}},
    {PERMIT_PAGEMAP, SYS_pread64, {FD, SOME, SOME, SOME}},
    {PERMIT_PAGEMAP, SYS_ioctl, {FD, PAGEMAP_SCAN_OURS, SOME}},
    {PERMIT_LISTS, SYS_getdents64, {FD, SOME, SOME}},
    {PERMIT_LISTS, SYS_openat, {FD, SOME, SYS_OPEN_TO_READ | O_CLOEXEC, 0}},
    {PERMIT_LOOKS, SYS_openat, {HERE, SOME, OPEN_TO_LOOK, 0}},
    {PERMIT_PEEKS, SYS_process_vm_readv, {SOME, SOME, 1, SOME, SOME, 0}},
    {PERMIT_SEALS, SYS_mprotect, {SOME, SOME, READ_WRITE}},
    {PERMIT_SEALS, SYS_mprotect, {SOME, SOME, PROT_READ}},
};
enum { FILTER_LENGTH_MAX = 4096 }; /* BPF_MAXINSNS: the kernel takes no more */
enum { PROBES = sizeof(probes) / sizeof(probes[0]) };

static struct {
    bool said; /* a filter that is refused is often tried again in another way */
} state;

static uint32_t deadly_under(const struct seccomp_program *filter)
{
    uint32_t deadly = 0;
    for (int i = 0; i < PROBES; i++) {
        struct seccomp_call call = {.number = probes[i].number};
        memcpy(call.arguments, probes[i].arguments, sizeof(call.arguments));
        if (!filter || !seccomp_filter_passes(filter, &call))
            deadly |= probes[i].needed_for;
    }
    return deadly & FOR_SNAPSHOTS ? deadly | PERMIT_FILES : deadly;
}

/* The last moment to make the black box larger, and to say why there will be no profile. */
static void prepare(void)
{
    if (!process_is_ours())
        return;
    process_reserve();
    __atomic_fetch_and(&arena.header->flags, ~(uint32_t)BOX_FLAG_LISTENS, __ATOMIC_RELAXED);
    if (__atomic_exchange_n(&state.said, true, __ATOMIC_RELAXED))
        return;
    sys_say("a filter of the program's own forbids what a profile needs: `heapdiff snap` and "
            "`heapdiff recover` read its black box");
}

/* Whether the kernel would even look at the filter: its address is the program's to get wrong. */
static bool is_readable(const struct seccomp_program *filter)
{
    struct memory memory = {0};
    return memory_check(&memory, (uintptr_t)filter, sizeof(*filter)) && filter->length > 0 &&
           filter->length <= FILTER_LENGTH_MAX &&
           memory_check(&memory, (uintptr_t)filter->instructions,
                        filter->length * sizeof(*filter->instructions));
}

uint32_t sandbox_enter(const struct seccomp_program *filter)
{
    runtime_forbid(true); /* what the helper thread and libc, for it, call is not in the table */
    if (!permit_has(PERMIT_SIGNALS))
        filter = NULL; /* nobody can be asked: as if it were the strictest */
    else if (filter && !is_readable(filter))
        return permit.revoked; /* it will be refused */
    uint32_t more = deadly_under(filter);
    if (more & PERMIT_FILES && permit_has(PERMIT_FILES))
        prepare();
    if (permit_has(PERMIT_NUMBERS))
        sys_keep_pid();
    uint32_t before = permit_revoke(permit.revoked | more);
    if (more & ~before)
        process_settle(); /* what other threads are at was begun before */
    return before;
}

void sandbox_failed(uint32_t before)
{
    runtime_forbid(false);
    permit_revoke(before);
    if (!(before & PERMIT_FILES) && process_is_ours())
        listener_listens();
}
