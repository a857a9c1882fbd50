#include "buffer_sink.h"

#include <stdlib.h>
#include <string.h>

static bool buffer_write(struct sink *self, const void *bytes, size_t size_bytes)
{
    struct buffer_sink *buffer = (struct buffer_sink *)self;
    buffer->calls++;
    if (buffer->limit_bytes > 0 && buffer->size_bytes + size_bytes > buffer->limit_bytes)
        return false;
    unsigned char *grown = realloc(buffer->bytes, buffer->size_bytes + size_bytes);
    if (!grown)
        return false;
    memcpy(grown + buffer->size_bytes, bytes, size_bytes);
    buffer->bytes = grown;
    buffer->size_bytes += size_bytes;
    return true;
}

void buffer_sink_open(struct buffer_sink *buffer, size_t limit_bytes)
{
    *buffer = (struct buffer_sink){.sink = {buffer_write}, .limit_bytes = limit_bytes};
}

void buffer_sink_free(struct buffer_sink *buffer)
{
    free(buffer->bytes);
    buffer->bytes = NULL;
}
