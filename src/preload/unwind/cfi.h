/*
 * cfi.h - call frame information: how one frame is unwound.
 *
 * What it is: finds the .eh_frame entry of a code address by the binary search table of its object
 *   and runs its program up to that address. The result says where the CFA is and where each
 *   register was saved.
 * Owns: nothing.
 * Context: anywhere; every byte is bounds-checked: the sections of a program may be corrupt.
 * Not here: which object an address is in (unwind_object.h); what is kept of the result (row.h).
 */
#ifndef HEAPDIFF_PRELOAD_CFI_H
#define HEAPDIFF_PRELOAD_CFI_H

#include "unwind_arch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Readable bytes of one object that hold its unwind sections. */
struct cfi_section {
    const uint8_t *start;
    const uint8_t *end;
    const uint8_t *index; /* .eh_frame_hdr; NULL: entries lie at `start`, one after the other */
};

enum cfi_how {
    CFI_SAME, /* also: no rule was given */
    CFI_UNDEFINED,
    CFI_OFFSET,          /* saved at CFA + value */
    CFI_VALUE_OFFSET,    /* is CFA + value */
    CFI_REGISTER,        /* is in register `value` */
    CFI_EXPRESSION,      /* saved at the address the expression gives */
    CFI_VALUE_EXPRESSION /* is what the expression gives */
};

struct cfi_rule {
    /* Of expressions: where the block (ULEB length, bytes) begins, from section start. */
    int32_t value;
    uint8_t how;
};

/* The CFA is register + offset, or, when `expression` is not 0, what that block gives. */
struct cfi_cfa {
    int32_t offset;
    uint32_t expression;
    uint8_t reg;
};

struct cfi_rules {
    struct cfi_cfa cfa;
    struct cfi_rule registers[ARCH_REGISTERS];
};

struct cfi_frame {
    struct cfi_section section;
    struct cfi_rules rules;
    uint64_t code_align;
    int64_t data_align;
    uint64_t start;         /* first address of the function */
    uint64_t size_bytes;    /* of the function */
    uint32_t return_column; /* which register's rule is the return address */
    uint8_t pointer_encoding;
    bool has_augmentation;
    bool signal; /* the caller was interrupted, it did not call */
};

/* Fills in *frame for code at `address`. False when there is no entry, or a malformed one. */
bool cfi_find(const struct cfi_section *section, uint64_t address, struct cfi_frame *frame);

/* The addresses that entries of a section without an index are about; false when it has none. */
bool cfi_span(const struct cfi_section *section, uint64_t *low, uint64_t *high);

#endif
