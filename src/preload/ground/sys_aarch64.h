/* The system call and stack switch instructions of aarch64. See sys.h. */
#ifndef HEAPDIFF_PRELOAD_SYS_AARCH64_H
#define HEAPDIFF_PRELOAD_SYS_AARCH64_H

static inline long sys_call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

/* Inside a waiting loop: leaves the core to its sibling thread. */
static inline void sys_relax(void)
{
    __asm__ volatile("yield");
}

/* Calls function(argument) on the stack that ends at `top` (16-aligned), and comes back. */
static inline void sys_on_stack(void *top, void (*function)(void *), void *argument)
{
    register void *x0 __asm__("x0") = argument;
    register void *x1 __asm__("x1") = top;
    __asm__ volatile("mov x19, sp\n\t"
                     "mov sp, x1\n\t"
                     "blr %[function]\n\t"
                     "mov sp, x19"
                     : "+r"(x0), "+r"(x1)
                     : [function] "r"(function)
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                       "x14", "x15", "x16", "x17", "x18", "x19", "x30", "memory", "cc", "v0", "v1",
                       "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",
                       "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",
                       "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}

#endif
