/*
 * sink.h - where bytes go: the one interface between encoders and files, buffers, compressors.
 *
 * Owns: nothing. Context: any. Not here: the sinks themselves.
 */
#ifndef HEAPDIFF_FORMAT_SINK_H
#define HEAPDIFF_FORMAT_SINK_H

#include <stdbool.h>
#include <stddef.h>

struct sink {
    /* Takes all `size_bytes` bytes; false when they could not be taken: the output is then broken. */
    bool (*write)(struct sink *self, const void *bytes, size_t size_bytes);
};

#endif
