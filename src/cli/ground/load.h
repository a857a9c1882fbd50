/*
 * load.h - numbers out of bytes, wherever they lie.
 *
 * What it is: loads of this processor's byte order from addresses that need not be aligned.
 * Owns: nothing. Context: cli. Not here: varints (text_cursor.h, format/wire.h).
 */
#ifndef HEAPDIFF_CLI_LOAD_H
#define HEAPDIFF_CLI_LOAD_H

#include <stdint.h>
#include <string.h>

static inline uint32_t load32(const unsigned char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static inline uint64_t load64(const unsigned char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

#endif
