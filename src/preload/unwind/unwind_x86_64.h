/* The unwinder's view of x86_64. See unwind_arch.h. */
#ifndef HEAPDIFF_PRELOAD_UNWIND_X86_64_H
#define HEAPDIFF_PRELOAD_UNWIND_X86_64_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    ARCH_REGISTERS = 17,
    ARCH_FP = 6,               /* rbp */
    ARCH_SP = 7,               /* rsp */
    ARCH_PC = 16,              /* the return address column; holds a frame's pc */
    ARCH_LINK = -1,            /* no register holds the return address */
    ARCH_RED_ZONE_BYTES = 128, /* below sp, still owned by the frame */
    ARCH_SIGNAL_CODE_BYTES = 9
};

/* The return address lies right under the CFA, wherever rbp went. */
static inline unsigned arch_return_slot(unsigned fp_slot)
{
    (void)fp_slot;
    return 1;
}

static inline uintptr_t arch_strip(uintptr_t pc)
{
    return pc;
}

/* True when `code` is "mov $SYS_rt_sigreturn, %rax; syscall", in the encoding of glibc and musl. */
static inline bool arch_is_signal_return(const uint8_t *code)
{
    static const uint8_t long_form[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
    static const uint8_t short_form[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
    return memcmp(code, long_form, sizeof(long_form)) == 0 ||
           memcmp(code, short_form, sizeof(short_form)) == 0;
}

/* Bytes from sp at the signal return code to the saved registers' end. */
enum { ARCH_SIGNAL_FRAME_BYTES = 176 };

/* The interrupted registers, by DWARF number, from the ucontext at `sp`. */
static inline void arch_signal_registers(uintptr_t sp, uintptr_t registers[ARCH_REGISTERS])
{
    /* mcontext: r8-r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip */
    static const uint8_t order[ARCH_REGISTERS] = {8, 9, 10, 11, 12, 13, 14, 15, 5,
                                                  4, 6, 3,  1,  0,  2,  7,  16};
    const uintptr_t *saved = (const uintptr_t *)(sp + 40);
    for (int i = 0; i < ARCH_REGISTERS; i++)
        registers[order[i]] = saved[i];
}

/* Where the signal frame at `sp` keeps one that a walk needs. */
static inline uintptr_t arch_signal_cell(uintptr_t sp, unsigned reg)
{
    return sp + 40 + 8 * (reg == ARCH_FP ? 10u : reg == ARCH_SP ? 15u : 16u);
}

/* The registers of here that a callee keeps; others read as zero. */
static inline __attribute__((always_inline)) void arch_registers_here(
    uintptr_t registers[ARCH_REGISTERS])
{
    memset(registers, 0, ARCH_REGISTERS * sizeof(registers[0]));
    __asm__ volatile("movq %%rbx, 24(%0)\n\t"
                     "movq %%rbp, 48(%0)\n\t"
                     "movq %%rsp, 56(%0)\n\t"
                     "movq %%r12, 96(%0)\n\t"
                     "movq %%r13, 104(%0)\n\t"
                     "movq %%r14, 112(%0)\n\t"
                     "movq %%r15, 120(%0)\n\t"
                     "leaq 0(%%rip), %%rax\n\t"
                     "movq %%rax, 128(%0)"
                     :
                     : "r"(registers)
                     : "rax", "memory");
}

#endif
