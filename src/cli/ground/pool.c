#include "pool.h"

#include "memory.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Small requests share chunks of this size. Fuzz builds set 0: each request is then its own
   allocation, so that AddressSanitizer sees every overrun. */
#ifndef POOL_CHUNK_BYTES
#define POOL_CHUNK_BYTES ((size_t)256 << 10)
#endif

struct chunk {
    struct chunk *next;
    size_t room_bytes, used_bytes;
    alignas(max_align_t) unsigned char bytes[];
};

struct pool {
    struct chunk *chunks; /* the first one is being filled */
    size_t used_bytes;
};

struct pool *pool_new(void)
{
    return memory_zeroed(1, sizeof(struct pool));
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    for (struct chunk *chunk = pool->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(pool);
}

static struct chunk *pool_chunk(struct pool *pool, size_t size_bytes)
{
    size_t room_bytes = size_bytes > POOL_CHUNK_BYTES ? size_bytes : POOL_CHUNK_BYTES;
    struct chunk *chunk = memory_zeroed(1, sizeof *chunk + room_bytes);
    chunk->room_bytes = room_bytes;
    struct chunk *first = pool->chunks;
    if (first && first->room_bytes - first->used_bytes > room_bytes - size_bytes) {
        chunk->next = first->next; /* the old first has more room left: go on filling it */
        first->next = chunk;
    } else {
        chunk->next = first;
        pool->chunks = chunk;
    }
    return chunk;
}

void *pool_alloc(struct pool *pool, size_t count, size_t each_bytes)
{
    size_t size_bytes, rounded_bytes;
    if (__builtin_mul_overflow(count, each_bytes, &size_bytes) ||
        __builtin_add_overflow(size_bytes, alignof(max_align_t) - 1, &rounded_bytes))
        rounded_bytes = SIZE_MAX / 2; /* more than there is: ends the command below */
    size_bytes = rounded_bytes & ~(alignof(max_align_t) - 1);
    struct chunk *chunk = pool->chunks;
    if (!chunk || chunk->room_bytes - chunk->used_bytes < size_bytes)
        chunk = pool_chunk(pool, size_bytes);
    void *memory = chunk->bytes + chunk->used_bytes;
    chunk->used_bytes += size_bytes;
    pool->used_bytes += size_bytes;
    return memory;
}

const char *pool_text(struct pool *pool, const char *text, size_t size_bytes)
{
    char *copy = pool_alloc(pool, size_bytes + 1, 1);
    memcpy(copy, text, size_bytes);
    return copy;
}

size_t pool_bytes(const struct pool *pool)
{
    return pool->used_bytes;
}
