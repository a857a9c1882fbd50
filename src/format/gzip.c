#include "gzip.h"

#include "crc.h"

#include <string.h>

enum { BLOCK_HEAD_BYTES = 5 };

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
    gzip->crc = crc_of(gzip->crc, bytes, size_bytes);
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
