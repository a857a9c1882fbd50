#include "zlib_sink.h"

#include <limits.h>
#include <stdint.h>

enum {
    WINDOW_BITS_GZIP = 15 + 16, /* + 16: zlib's way to ask for gzip's frame */
    MEMORY_LEVEL = 8
};

/* Moves what was packed to the sink below until zlib has no more to give. */
static void packed_write(struct zlib_sink *self, int flush)
{
    do {
        self->stream.next_out = self->buffer;
        self->stream.avail_out = sizeof(self->buffer);
        if (deflate(&self->stream, flush) == Z_STREAM_ERROR)
            self->failed = true;
        size_t packed_bytes = sizeof(self->buffer) - self->stream.avail_out;
        if (!self->failed && packed_bytes > 0)
            self->failed = !self->below->write(self->below, self->buffer, packed_bytes);
    } while (!self->failed && self->stream.avail_out == 0);
}

static bool zlib_sink_write(struct sink *sink, const void *bytes, size_t size_bytes)
{
    struct zlib_sink *self = (struct zlib_sink *)sink;
    const unsigned char *at = bytes;
    while (size_bytes > 0 && !self->failed) {
        size_t part_bytes = size_bytes < UINT_MAX ? size_bytes : UINT_MAX;
        self->stream.next_in = (unsigned char *)(uintptr_t)at; /* zlib's API predates const */
        self->stream.avail_in = (unsigned)part_bytes;
        packed_write(self, Z_NO_FLUSH);
        at += part_bytes;
        size_bytes -= part_bytes;
    }
    return !self->failed;
}

void zlib_sink_open(struct zlib_sink *self, struct sink *below)
{
    self->sink.write = zlib_sink_write;
    self->below = below;
    self->stream = (z_stream){0};
    self->failed = deflateInit2(&self->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS_GZIP,
                                MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK;
}

bool zlib_sink_close(struct zlib_sink *self)
{
    if (!self->failed) {
        self->stream.avail_in = 0;
        packed_write(self, Z_FINISH);
    }
    deflateEnd(&self->stream);
    return !self->failed;
}
