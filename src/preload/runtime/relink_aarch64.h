/* relink_aarch64.h - how relocations say "the address of this name" here. */
#ifndef HEAPDIFF_PRELOAD_RELINK_AARCH64_H
#define HEAPDIFF_PRELOAD_RELINK_AARCH64_H

#include <elf.h>

enum {
    RELINK_CALL = R_AARCH64_JUMP_SLOT,
    RELINK_POINTER = R_AARCH64_GLOB_DAT,
    RELINK_DATA = R_AARCH64_ABS64
};

#endif
