/*
 * gzip.h - a sink that frames what it takes as a gzip file.
 *
 * What it is: gzip without compression (stored deflate blocks) and without zlib, so that a snapshot
 *   can be written from a signal handler of a foreign process. Any gunzip reads it.
 * Owns: nothing; the buffer and the sink below are the caller's.
 * Context: any; no allocation, no libc beyond memcpy.
 * Not here: reading gzip (the command uses zlib).
 */
#ifndef HEAPDIFF_FORMAT_GZIP_H
#define HEAPDIFF_FORMAT_GZIP_H

#include "sink.h"

#include <stdint.h>

enum {
    GZIP_BLOCK_BYTES_MAX = 65535,  /* what a stored block's 16-bit length can say */
    GZIP_BUFFER_BYTES_MIN = 64,    /* smaller buffers would be mostly block heads */
    GZIP_BUFFER_BYTES_BEST = 65540 /* one largest block with its head */
};

struct gzip {
    struct sink sink; /* first: a struct gzip is a sink */
    struct sink *below;
    unsigned char *buffer; /* a block being filled: its head's place, then its content */
    size_t room_bytes;
    size_t used_bytes; /* content bytes in the buffer */
    uint32_t crc;
    uint32_t size_bytes; /* of the content so far, modulo 2^32: what gzip's ISIZE is */
    bool failed;
};

/* Starts a gzip file on `below`. `buffer` holds GZIP_BUFFER_BYTES_MIN bytes or more. */
void gzip_open(struct gzip *gzip, struct sink *below, void *buffer, size_t room_bytes);

/* Writes what is left and the trailer; false when anything was not written. */
bool gzip_close(struct gzip *gzip);

#endif
