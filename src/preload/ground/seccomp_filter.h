/*
 * seccomp_filter.h - what a seccomp filter would do with a system call of ours.
 *
 * What it is: an interpreter of the classic BPF that seccomp(2) takes, run on a call that has not been
 *   made: afterwards it would be too late to find out.
 * Owns: nothing. Context: hooks; memory and loops are bounded by the filter's length.
 * Not here: which calls are asked about, and what follows (sandbox.h).
 */
#ifndef HEAPDIFF_PRELOAD_SECCOMP_FILTER_H
#define HEAPDIFF_PRELOAD_SECCOMP_FILTER_H

#include <stdbool.h>
#include <stdint.h>

/* The kernel's struct sock_filter and struct sock_fprog; not every libc's headers have them. */
struct seccomp_instruction {
    uint16_t code;
    uint8_t if_true, if_false; /* how many to skip */
    uint32_t k;
};

struct seccomp_program {
    uint16_t length;
    const struct seccomp_instruction *instructions;
};

/* The kernel's struct seccomp_data: all that a filter sees of a call. */
struct seccomp_call {
    int32_t number;
    uint32_t architecture; /* left 0: this machine's is filled in */
    uint64_t instruction_pointer;
    uint64_t arguments[6];
};

/* Whether the call comes back as if from the kernel: let through, or refused with an error. Not so
   where it kills, raises a signal, or asks another process. */
bool seccomp_filter_passes(const struct seccomp_program *program, const struct seccomp_call *call);

#endif
