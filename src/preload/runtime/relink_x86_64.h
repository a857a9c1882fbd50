/* relink_x86_64.h - how relocations say "the address of this name" here. */
#ifndef HEAPDIFF_PRELOAD_RELINK_X86_64_H
#define HEAPDIFF_PRELOAD_RELINK_X86_64_H

#include <elf.h>

enum {
    RELINK_CALL = R_X86_64_JUMP_SLOT,
    RELINK_POINTER = R_X86_64_GLOB_DAT,
    RELINK_DATA = R_X86_64_64
};

#endif
