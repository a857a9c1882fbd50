#include "gzip.h"

#include <string.h>

enum { BLOCK_HEAD_BYTES = 5 };

/*
 * Tables of gzip's CRC (polynomial 0xedb88320): row k holds the CRC of a byte followed by k zero
 * bytes. A CRC is linear, so an entry is the sum of its bits' entries, and the compiler adds them
 * up.
 */
#define SUM(n, a, b, c, d, e, f, g, h)                                                          \
    (((n)&1 ? a : 0) ^ ((n)&2 ? b : 0) ^ ((n)&4 ? c : 0) ^ ((n)&8 ? d : 0) ^ ((n)&16 ? e : 0) ^ \
     ((n)&32 ? f : 0) ^ ((n)&64 ? g : 0) ^ ((n)&128 ? h : 0))
#define ROW0(n)                                                                          \
    SUM(n, 0x77073096u, 0xee0e612cu, 0x076dc419u, 0x0edb8832u, 0x1db71064u, 0x3b6e20c8u, \
        0x76dc4190u, 0xedb88320u)
#define ROW1(n)                                                                          \
    SUM(n, 0x191b3141u, 0x32366282u, 0x646cc504u, 0xc8d98a08u, 0x4ac21251u, 0x958424a2u, \
        0xf0794f05u, 0x3b83984bu)
#define ROW2(n)                                                                          \
    SUM(n, 0x01c26a37u, 0x0384d46eu, 0x0709a8dcu, 0x0e1351b8u, 0x1c26a370u, 0x384d46e0u, \
        0x709a8dc0u, 0xe1351b80u)
#define ROW3(n)                                                                          \
    SUM(n, 0xb8bc6765u, 0xaa09c88bu, 0x8f629757u, 0xc5b428efu, 0x5019579fu, 0xa032af3eu, \
        0x9b14583du, 0xed59b63bu)
#define FOUR(row, n)    row(n), row((n) + 1), row((n) + 2), row((n) + 3)
#define SIXTEEN(row, n) FOUR(row, n), FOUR(row, (n) + 4), FOUR(row, (n) + 8), FOUR(row, (n) + 12)
#define QUARTER(row, n) \
    SIXTEEN(row, n), SIXTEEN(row, (n) + 16), SIXTEEN(row, (n) + 32), SIXTEEN(row, (n) + 48)
#define ROW(row)                                                                    \
    {                                                                               \
        QUARTER(row, 0u), QUARTER(row, 64u), QUARTER(row, 128u), QUARTER(row, 192u) \
    }

static const uint32_t crc_table[4][256] = {ROW(ROW0), ROW(ROW1), ROW(ROW2), ROW(ROW3)};

uint32_t gzip_crc(uint32_t crc, const void *bytes, size_t size_bytes)
{
    const unsigned char *at = bytes;
    crc = ~crc;
    for (; size_bytes >= 4; size_bytes -= 4, at += 4) {
        crc ^=
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        crc = crc_table[3][crc & 255] ^ crc_table[2][crc >> 8 & 255] ^
              crc_table[1][crc >> 16 & 255] ^ crc_table[0][crc >> 24];
    }
    for (; size_bytes > 0; size_bytes--)
        crc = crc >> 8 ^ crc_table[0][(crc ^ *at++) & 255];
    return ~crc;
}

static void put_little(unsigned char *at, uint32_t value, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static void pass_on(struct gzip *gzip, const void *bytes, size_t size_bytes)
{
    if (!gzip->failed && !gzip->below->write(gzip->below, bytes, size_bytes))
        gzip->failed = true;
}

/* Writes the buffered content as one stored block: final bit, type 00, length, its complement. */
static void flush_block(struct gzip *gzip, bool final)
{
    uint32_t length = (uint32_t)gzip->used_bytes;
    gzip->buffer[0] = final;
    put_little(gzip->buffer + 1, length, 2);
    put_little(gzip->buffer + 3, ~length, 2);
    pass_on(gzip, gzip->buffer, BLOCK_HEAD_BYTES + gzip->used_bytes);
    gzip->used_bytes = 0;
}

static bool gzip_write(struct sink *self, const void *bytes, size_t size_bytes)
{
    struct gzip *gzip = (struct gzip *)self;
    const unsigned char *at = bytes;
    gzip->crc = gzip_crc(gzip->crc, bytes, size_bytes);
    gzip->size_bytes += (uint32_t)size_bytes;
    while (size_bytes > 0 && !gzip->failed) {
        size_t part = gzip->room_bytes - gzip->used_bytes;
        if (part > size_bytes)
            part = size_bytes;
        memcpy(gzip->buffer + BLOCK_HEAD_BYTES + gzip->used_bytes, at, part);
        gzip->used_bytes += part;
        at += part;
        size_bytes -= part;
        if (gzip->used_bytes == gzip->room_bytes)
            flush_block(gzip, false);
    }
    return !gzip->failed;
}

void gzip_open(struct gzip *gzip, struct sink *below, void *buffer, size_t room_bytes)
{
    /* Method 8 (deflate), no flags, no time, no hints, system 255 (unknown): the same profile
       gives the same bytes. */
    static const unsigned char head[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    *gzip = (struct gzip){.sink = {gzip_write}, .below = below, .buffer = buffer};
    gzip->room_bytes = room_bytes - BLOCK_HEAD_BYTES;
    if (gzip->room_bytes > GZIP_BLOCK_BYTES_MAX)
        gzip->room_bytes = GZIP_BLOCK_BYTES_MAX;
    pass_on(gzip, head, sizeof(head));
}

bool gzip_close(struct gzip *gzip)
{
    unsigned char trailer[8];
    flush_block(gzip, true);
    put_little(trailer, gzip->crc, 4);
    put_little(trailer + 4, gzip->size_bytes, 4);
    pass_on(gzip, trailer, sizeof(trailer));
    return !gzip->failed;
}
