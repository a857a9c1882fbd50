/*
 * zlib_sink.h - a sink that packs what it takes into a gzip stream.
 *
 * Owns: zlib's state, from zlib_sink_open() to zlib_sink_close(). Context: cli; the preload has
 *   format/gzip.h. Not here: unpacking (input.h).
 */
#ifndef HEAPDIFF_CLI_ZLIB_SINK_H
#define HEAPDIFF_CLI_ZLIB_SINK_H

#include "format/sink.h"

#include <zlib.h>

enum { ZLIB_SINK_BUFFER_BYTES = 65536 };

struct zlib_sink {
    struct sink sink; /* first: a struct zlib_sink is a sink */
    struct sink *below;
    z_stream stream;
    bool failed;
    unsigned char buffer[ZLIB_SINK_BUFFER_BYTES];
};

/* Starts a gzip stream on `below`; without a time in it, so that equal content is equal bytes. */
void zlib_sink_open(struct zlib_sink *self, struct sink *below);

/* Writes what is left; false when anything was not written. */
bool zlib_sink_close(struct zlib_sink *self);

#endif
