/* The system call and stack switch instructions of x86_64. See sys.h. */
#ifndef HEAPDIFF_PRELOAD_SYS_X86_64_H
#define HEAPDIFF_PRELOAD_SYS_X86_64_H

static inline long sys_call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* Inside a waiting loop: leaves the core to its sibling thread. */
static inline void sys_relax(void)
{
    __asm__ volatile("pause");
}

/* Calls function(argument) on the stack that ends at `top` (16-aligned), and comes back. */
static inline void sys_on_stack(void *top, void (*function)(void *), void *argument)
{
    __asm__ volatile("movq %%rsp, %%rbx\n\t"
                     "movq %[top], %%rsp\n\t"
                     "callq *%[function]\n\t"
                     "movq %%rbx, %%rsp"
                     : "+D"(argument), [top] "+a"(top)
                     : [function] "r"(function)
                     : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc", "xmm0",
                       "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

#endif
