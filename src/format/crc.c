#include "crc.h"

/*
 * Row k of the table holds the CRC of a byte followed by k zero
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
#define ROW4(n)                                                                          \
    SUM(n, 0x3d6029b0u, 0x7ac05360u, 0xf580a6c0u, 0x30704bc1u, 0x60e09782u, 0xc1c12f04u, \
        0x58f35849u, 0xb1e6b092u)
#define ROW5(n)                                                                          \
    SUM(n, 0xcb5cd3a5u, 0x4dc8a10bu, 0x9b914216u, 0xec53826du, 0x03d6029bu, 0x07ac0536u, \
        0x0f580a6cu, 0x1eb014d8u)
#define ROW6(n)                                                                          \
    SUM(n, 0xa6770bb4u, 0x979f1129u, 0xf44f2413u, 0x33ef4e67u, 0x67de9cceu, 0xcfbd399cu, \
        0x440b7579u, 0x8816eaf2u)
#define ROW7(n)                                                                          \
    SUM(n, 0xccaa009eu, 0x4225077du, 0x844a0efau, 0xd3e51bb5u, 0x7cbb312bu, 0xf9766256u, \
        0x299dc2edu, 0x533b85dau)
#define FOUR(row, n)    row(n), row((n) + 1), row((n) + 2), row((n) + 3)
#define SIXTEEN(row, n) FOUR(row, n), FOUR(row, (n) + 4), FOUR(row, (n) + 8), FOUR(row, (n) + 12)
#define QUARTER(row, n) \
    SIXTEEN(row, n), SIXTEEN(row, (n) + 16), SIXTEEN(row, (n) + 32), SIXTEEN(row, (n) + 48)
#define ROW(row)                                                                    \
    {                                                                               \
        QUARTER(row, 0u), QUARTER(row, 64u), QUARTER(row, 128u), QUARTER(row, 192u) \
    }

enum { ROWS = 8 }; /* bytes a step: twice as many would need 16 KiB of first-level cache */

static const uint32_t table[ROWS][256] = {ROW(ROW0), ROW(ROW1), ROW(ROW2), ROW(ROW3),
                                          ROW(ROW4), ROW(ROW5), ROW(ROW6), ROW(ROW7)};

static uint32_t little(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* The sum of a word's bytes, the last of which has `after` bytes behind it. */
static uint32_t sum_of(uint32_t word, unsigned after)
{
    return table[after + 3][word & 255] ^ table[after + 2][word >> 8 & 255] ^
           table[after + 1][word >> 16 & 255] ^ table[after][word >> 24];
}

/* From state to state. */
static uint32_t advance(uint32_t crc, const unsigned char *at, size_t size_bytes)
{
    for (; size_bytes >= ROWS; size_bytes -= ROWS, at += ROWS)
        crc = sum_of(crc ^ little(at), 4) ^ sum_of(little(at + 4), 0);
    for (; size_bytes > 0; size_bytes--)
        crc = crc >> 8 ^ table[0][(crc ^ *at++) & 255];
    return crc;
}

uint32_t crc_of(uint32_t crc, const void *bytes, size_t size_bytes)
{
    const unsigned char *at = bytes;
    unsigned char folded[CRC_FOLDED_BYTES];
    size_t taken_bytes = crc_fold(~crc, at, size_bytes, folded);
    crc = taken_bytes > 0 ? advance(0, folded, sizeof(folded)) : ~crc;
    return ~advance(crc, at + taken_bytes, size_bytes - taken_bytes);
}
