/* The unwinder's view of aarch64. See unwind_arch.h. */
#ifndef HEAPDIFF_PRELOAD_UNWIND_AARCH64_H
#define HEAPDIFF_PRELOAD_UNWIND_AARCH64_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    ARCH_REGISTERS = 33,
    ARCH_FP = 29,   /* x29 */
    ARCH_SP = 31,   /* sp */
    ARCH_PC = 32,   /* no DWARF number in .eh_frame; holds a frame's pc */
    ARCH_LINK = 30, /* x30: the return address column */
    ARCH_RED_ZONE_BYTES = 0,
    ARCH_SIGNAL_CODE_BYTES = 8
};

/* A frame record is {x29, x30}: the return address lies above the saved x29. */
static inline unsigned arch_return_slot(unsigned fp_slot)
{
    return fp_slot - 1;
}

/* Removes the pointer authentication code: user addresses have bit 55 and above clear. */
static inline uintptr_t arch_strip(uintptr_t pc)
{
    register uintptr_t x30 __asm__("x30") = pc;
    __asm__("hint 7" : "+r"(x30)); /* xpaclri; a no-op where there is no authentication */
    return x30;
}

/* True when `code` is "mov x8, #SYS_rt_sigreturn; svc #0", as in the vDSO. */
static inline bool arch_is_signal_return(const uint8_t *code)
{
    static const uint8_t form[] = {0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4};
    return memcmp(code, form, sizeof(form)) == 0;
}

/* Bytes from sp at the signal return code to the saved registers' end: siginfo, ucontext up to
   mcontext, fault address, x0-x30, sp, pc. */
enum { ARCH_SIGNAL_FRAME_BYTES = 128 + 176 + 8 + 33 * 8 };

/* The interrupted registers, by DWARF number, from the signal frame at `sp`. */
static inline void arch_signal_registers(uintptr_t sp, uintptr_t registers[ARCH_REGISTERS])
{
    memcpy(registers, (const void *)(sp + 128 + 176 + 8), ARCH_REGISTERS * sizeof(registers[0]));
}

/* Where the signal frame at `sp` keeps one of them. */
static inline uintptr_t arch_signal_cell(uintptr_t sp, unsigned reg)
{
    return sp + 128 + 176 + 8 + 8 * (uintptr_t)reg;
}

/* The registers of here that a callee keeps; others read as zero. */
static inline __attribute__((always_inline)) void arch_registers_here(
    uintptr_t registers[ARCH_REGISTERS])
{
    memset(registers, 0, ARCH_REGISTERS * sizeof(registers[0]));
    uintptr_t scratch;
    __asm__ volatile("stp x19, x20, [%1, #152]\n\t"
                     "stp x21, x22, [%1, #168]\n\t"
                     "stp x23, x24, [%1, #184]\n\t"
                     "stp x25, x26, [%1, #200]\n\t"
                     "stp x27, x28, [%1, #216]\n\t"
                     "stp x29, x30, [%1, #232]\n\t"
                     "mov %0, sp\n\t"
                     "str %0, [%1, #248]\n\t"
                     "adr %0, .\n\t"
                     "str %0, [%1, #256]"
                     : "=&r"(scratch)
                     : "r"(registers)
                     : "memory");
}

#endif
