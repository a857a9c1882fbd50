/*
 * cfi_read.h - a bounded cursor over call frame information.
 *
 * What it is: little-endian numbers, LEB128 and encoded pointers. Reading past the end gives zero and
 *   sets `bad`; callers test it once, at the end.
 * Owns: nothing.
 * Context: anywhere.
 * Not here: what the numbers mean (cfi.c, cfi_program.c).
 */
#ifndef HEAPDIFF_PRELOAD_CFI_READ_H
#define HEAPDIFF_PRELOAD_CFI_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cfi_cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

static inline size_t cfi_left(const struct cfi_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

/* Steps over `size_bytes`; the bytes passed, or NULL when there are not as many. */
static inline const uint8_t *cfi_skip(struct cfi_cursor *cursor, uint64_t size_bytes)
{
    if (size_bytes > cfi_left(cursor)) {
        cursor->bad = true;
        cursor->at = cursor->end;
        return NULL;
    }
    const uint8_t *at = cursor->at;
    cursor->at += size_bytes;
    return at;
}

static inline uint64_t cfi_fixed(struct cfi_cursor *cursor, unsigned size_bytes)
{
    uint64_t value = 0;
    const uint8_t *at = cfi_skip(cursor, size_bytes);
    if (at != NULL)
        memcpy(&value, at, size_bytes);
    return value;
}

static inline uint8_t cfi_u8(struct cfi_cursor *cursor)
{
    if (cursor->at == cursor->end) {
        cursor->bad = true;
        return 0;
    }
    return *cursor->at++;
}

static inline int64_t cfi_signed(struct cfi_cursor *cursor, unsigned size_bytes)
{
    unsigned unused_bits = 64 - 8 * size_bytes;
    return (int64_t)(cfi_fixed(cursor, size_bytes) << unused_bits) >> unused_bits;
}

/* Seven bits a byte, of as many bytes as it takes. */
static inline uint64_t cfi_leb(struct cfi_cursor *cursor, bool is_signed)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        byte = cfi_u8(cursor);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (is_signed && (byte & 0x40) != 0 && shift < 64)
        value |= ~0ull << shift;
    return value;
}

static inline uint64_t cfi_uleb(struct cfi_cursor *cursor)
{
    if (__builtin_expect(cursor->at != cursor->end && *cursor->at < 0x80, 1))
        return *cursor->at++; /* nearly all have one byte */
    return cfi_leb(cursor, false);
}

static inline int64_t cfi_sleb(struct cfi_cursor *cursor)
{
    return (int64_t)cfi_leb(cursor, true);
}

/* Pointer encodings (DW_EH_PE_*): a format in the low half, what it is relative to in the high. */
enum {
    CFI_POINTER_OMIT = 0xff,
    CFI_POINTER_FORMAT = 0x0f,
    CFI_POINTER_RELATIVE = 0x70,
    CFI_POINTER_PC = 0x10,
    CFI_POINTER_DATA = 0x30,
    CFI_POINTER_INDIRECT = 0x80
};

/* An encoded pointer; `data` is what data-relative ones count from. Bad when it is of a kind that
   linkers do not write here. */
uint64_t cfi_pointer(struct cfi_cursor *cursor, uint8_t encoding, uint64_t data);

#endif
