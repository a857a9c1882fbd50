/*
 * pool.h - memory that is given back all at once.
 *
 * What it is: an arena of zeroed memory for data that lives as long as one profile.
 * Owns: its chunks. Context: cli, one thread. Not here: what is stored (profile.h).
 */
#ifndef HEAPDIFF_CLI_POOL_H
#define HEAPDIFF_CLI_POOL_H

#include <stddef.h>

struct pool;

/* An empty pool; never NULL (see memory.h). */
struct pool *pool_new(void);
/* Frees all of it; NULL is legal. */
void pool_free(struct pool *pool);

/* `count` zeroed entries of `each_bytes`, aligned for any type; a valid pointer also for 0. */
void *pool_alloc(struct pool *pool, size_t count, size_t each_bytes);
/* A NUL-terminated copy of the first `size_bytes` bytes at `text`. */
const char *pool_text(struct pool *pool, const char *text, size_t size_bytes);

/* Bytes handed out so far. */
size_t pool_bytes(const struct pool *pool);

#endif
