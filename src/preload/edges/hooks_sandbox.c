/*
 * prctl(2) and syscall(2), by which programs put seccomp filters on themselves (libseccomp, too), and fork
 * unseen by libc. All else passes through. The headers declare both as variadic; here they are as they are
 * called: with longs.
 */
#include "hook.h"

#include "process.h"
#include "sandbox.h"
#include "preload/ground/seccomp_filter.h"
#include "preload/ground/sys.h"
#include "preload/unwind/unwind_memory.h"

#include <errno.h>

#ifndef SYS_fork
#define SYS_fork (-1) /* aarch64 has clone alone */
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif

/* linux/prctl.h, linux/seccomp.h */
enum { SET_SECCOMP = 22, MODE_STRICT = 1, MODE_FILTER = 2 };
enum { OPERATION_STRICT = 0, OPERATION_FILTER = 1 };
enum { CLONE_SHARED_MEMORY = 0x100 };               /* linux/sched.h: CLONE_VM */
enum { CLONE3_FLAGS_AT = 0, CLONE3_STACK_AT = 40 }; /* ... struct clone_args */

int prctl(int option, long a, long b, long c, long d);
long pass_call(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");

/* What a raw system call returned, as libc's functions do. */
static long as_libc(long result)
{
    if (!sys_failed(result))
        return result;
    errno = (int)-result;
    return -1;
}

static long ask_kernel(long number, long a, long b, long c, long d, long e, long f)
{
    if (real_resolve() && real.syscall)
        return real.syscall(number, a, b, c, d, e, f);
    return as_libc(sys_call6(number, a, b, c, d, e, f));
}

/* Whether something will be installed: programs probe with NULL for what the kernel knows. */
static bool is_real(bool strict, bool filter, long program)
{
    return strict || (filter && program != 0);
}

HOOK int prctl(int option, long a, long b, long c, long d)
{
    uint32_t before = 0;
    bool enters = option == SET_SECCOMP && is_real(a == MODE_STRICT, a == MODE_FILTER, b);
    if (enters) {
        guard_notice();
        before = sandbox_enter(a == MODE_STRICT ? NULL : (const struct seccomp_program *)b);
    }
    long result = real_resolve() && real.prctl
                      ? real.prctl(option, a, b, c, d)
                      : as_libc(sys_call6(SYS_prctl, option, a, b, c, d, 0));
    if (enters && result < 0)
        sandbox_failed(before);
    return (int)result;
}

static __attribute__((noinline)) long enter(long number, long operation, long flags, long program)
{
    if (!is_real(operation == OPERATION_STRICT, operation == OPERATION_FILTER, program))
        return ask_kernel(number, operation, flags, program, 0, 0, 0);
    guard_notice();
    uint32_t before = sandbox_enter(
        operation == OPERATION_STRICT ? NULL : (const struct seccomp_program *)program);
    long result = ask_kernel(number, operation, flags, program, 0, 0, 0);
    if (result < 0)
        sandbox_failed(before);
    return result;
}

static bool is_fork_by_clone3(long arguments)
{
    struct memory memory = {0};
    uintptr_t flags, stack;
    return memory_read(&memory, (uintptr_t)arguments + CLONE3_FLAGS_AT, &flags) &&
           memory_read(&memory, (uintptr_t)arguments + CLONE3_STACK_AT, &stack) &&
           !(flags & CLONE_SHARED_MEMORY) && stack == 0;
}

/* Whether the call makes a child that is a copy, on a copy of this very stack. */
static bool is_fork(long number, long a, long b)
{
    if (number == SYS_clone)
        return !(a & CLONE_SHARED_MEMORY) && b == 0;
    return number == SYS_fork || (number == SYS_clone3 && is_fork_by_clone3(a));
}

static __attribute__((noinline)) long fork_by(long number, const long arguments[5])
{
    long child =
        ask_kernel(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], 0);
    if (child == 0)
        process_forked_quietly();
    return child;
}

/* Leaves by a jump, with nothing of its own on the stack: the call may be one that returns twice. */
HOOK long pass_call(long number, long a, long b, long c, long d, long e, long f)
{
    if (__builtin_expect(number == SYS_seccomp, false))
        return enter(number, a, b, c);
    if (__builtin_expect(number == SYS_prctl && a == SET_SECCOMP, false))
        return prctl((int)a, b, c, d, e);
    if (__builtin_expect(is_fork(number, a, b), false))
        return fork_by(number, (const long[]){a, b, c, d, e});
    if (__builtin_expect(real.syscall != NULL, true))
        return real.syscall(number, a, b, c, d, e, f);
    return ask_kernel(number, a, b, c, d, e, f);
}
