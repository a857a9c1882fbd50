/*
 * unwind_arch.h - what the unwinder must know about the processor.
 *
 * What it is: DWARF register numbers, the place of the return address, the kernel's signal frame
 *   and the registers of here, in unwind_x86_64.h and unwind_aarch64.h.
 * Owns: nothing.
 * Context: anywhere.
 * Not here: the walk (unwind.c), the rules (row.h, cfi.h).
 */
#ifndef HEAPDIFF_PRELOAD_UNWIND_ARCH_H
#define HEAPDIFF_PRELOAD_UNWIND_ARCH_H

#if defined(__x86_64__)
#include "unwind_x86_64.h"
#elif defined(__aarch64__)
#include "unwind_aarch64.h"
#endif

#endif
