/*
 * token_table.h - small numbers for byte strings: equal bytes, equal number.
 *
 * Owns: copies of the bytes. Valid when zeroed. Context: cli. Not here: what the bytes mean.
 */
#ifndef HEAPDIFF_CLI_TOKEN_TABLE_H
#define HEAPDIFF_CLI_TOKEN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct token_table {
    struct token_entry *entries;
    struct pool *pool;
    uint32_t count; /* tokens given out: they are 0 .. count - 1, in order */
};

/* The token of these bytes; *fresh (NULL is legal) tells whether it is a new one. */
uint32_t token_of(struct token_table *table, const void *bytes, size_t size_bytes, bool *fresh);
uint32_t token_of_text(struct token_table *table, const char *text);
/* Frees what it holds and empties it. */
void token_table_clear(struct token_table *table);

#endif
