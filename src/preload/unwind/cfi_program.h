/*
 * cfi_program.h - the interpreter of call frame programs.
 *
 * What it is: runs DW_CFA_* instructions and keeps the rules in force at one address.
 * Owns: nothing.
 * Context: anywhere; uses about 2 KiB of stack.
 * Not here: entries and their headers (cfi.c); expressions, which are only located here.
 */
#ifndef HEAPDIFF_PRELOAD_CFI_PROGRAM_H
#define HEAPDIFF_PRELOAD_CFI_PROGRAM_H

#include "cfi.h"
#include "cfi_read.h"

/*
 * Runs `code` on frame->rules until it would pass `address`. `initial`, what restore goes back to,
 * is NULL for the common part of an entry. False on an unknown or malformed instruction.
 */
bool cfi_program_run(struct cfi_frame *frame, struct cfi_cursor *code,
                     const struct cfi_rules *initial, uint64_t address);

#endif
