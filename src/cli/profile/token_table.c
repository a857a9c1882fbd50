#include "token_table.h"

#include "cli/ground/pool.h"

#include <string.h>
#include <uthash.h>

struct token_entry {
    const char *bytes;
    uint32_t token;
    UT_hash_handle hh;
};

uint32_t token_of(struct token_table *table, const void *bytes, size_t size_bytes, bool *fresh)
{
    struct token_entry *entry;
    HASH_FIND(hh, table->entries, bytes, size_bytes, entry);
    if (fresh)
        *fresh = !entry;
    if (entry)
        return entry->token;
    if (!table->pool)
        table->pool = pool_new();
    entry = pool_alloc(table->pool, 1, sizeof *entry);
    entry->bytes = pool_text(table->pool, bytes, size_bytes);
    entry->token = table->count++;
    HASH_ADD_KEYPTR(hh, table->entries, entry->bytes, size_bytes, entry);
    return entry->token;
}

uint32_t token_of_text(struct token_table *table, const char *text)
{
    return token_of(table, text, strlen(text), NULL);
}

void token_table_clear(struct token_table *table)
{
    HASH_CLEAR(hh, table->entries);
    pool_free(table->pool);
    *table = (struct token_table){0};
}
