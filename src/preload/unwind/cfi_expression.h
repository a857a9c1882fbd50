/*
 * cfi_expression.h - DWARF expressions over the registers of one frame.
 *
 * What it is: the operations that DWARF allows in call frame rules, on a small stack.
 * Owns: nothing.
 * Context: anywhere; memory is read with care, steps are bounded.
 * Not here: the forms compiled into rows (row_compile.c).
 */
#ifndef HEAPDIFF_PRELOAD_CFI_EXPRESSION_H
#define HEAPDIFF_PRELOAD_CFI_EXPRESSION_H

#include "cfi.h"
#include "unwind_memory.h"

struct cfi_machine {
    const struct cfi_section *section;
    const uintptr_t *registers; /* ARCH_REGISTERS of them */
    struct memory *memory;
};

/*
 * Evaluates the block at `place` (from the section's start) with *value, where `pushed` is true, on
 * the stack first. False on what is unknown, malformed or unreadable.
 */
bool cfi_evaluate(const struct cfi_machine *machine, uint32_t place, bool pushed, uintptr_t *value);

#endif
