/*
 * buffer_sink.h - a sink that keeps what it takes, for tests.
 *
 * Owns: its bytes, until buffer_sink_free(). Context: unit tests. Not here: the code under test.
 */
#ifndef HEAPDIFF_TESTS_BUFFER_SINK_H
#define HEAPDIFF_TESTS_BUFFER_SINK_H

#include "format/sink.h"

struct buffer_sink {
    struct sink sink;
    unsigned char *bytes;
    size_t size_bytes;
    size_t limit_bytes; /* fails once more than this was written; 0: never */
    size_t calls;
};

void buffer_sink_open(struct buffer_sink *buffer, size_t limit_bytes);
void buffer_sink_free(struct buffer_sink *buffer);

#endif
