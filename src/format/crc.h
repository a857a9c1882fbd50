/*
 * crc.h - the checksum that gzip has: CRC-32 by the polynomial 0xedb88320.
 *
 * Owns: nothing. Context: any; no allocation, no libc; the processor's multiplication without carries
 *   where it has one.
 * Not here: what is summed up (gzip.h).
 */
#ifndef HEAPDIFF_FORMAT_CRC_H
#define HEAPDIFF_FORMAT_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 at the start) over `size_bytes` bytes. */
uint32_t crc_of(uint32_t crc, const void *bytes, size_t size_bytes);

enum { CRC_FOLDED_BYTES = 16 };

/*
 * The processor's way, or none. Takes a first part of `size_bytes` bytes at `bytes`, summed up from the
 * state `crc` (inverted, as it is between bytes), and leaves CRC_FOLDED_BYTES bytes in `folded` that,
 * summed up from state 0, have the same sum. Returns the bytes taken; 0, and nothing left, where it
 * cannot help.
 */
size_t crc_fold(uint32_t crc, const void *bytes, size_t size_bytes,
                unsigned char folded[CRC_FOLDED_BYTES]);

#endif
