#include "function_set.h"

#include "demangle.h"
#include "source_path.h"
#include "cli/ground/memory.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct function_entry {
    UT_hash_handle hh;
    int index;
    unsigned key_bytes;
    char key[]; /* names, directory and file, each with its NUL, and the line */
};

struct function_set {
    struct profile *profile;
    struct function *functions; /* the profile's first, then the new ones */
    size_t count, capacity;
    struct function_entry *entries;
};

struct function_set *function_set_open(struct profile *profile)
{
    struct function_set *set = memory_zeroed(1, sizeof(*set));
    set->profile = profile;
    set->count = set->capacity = profile->function_count;
    set->functions = memory_resized(NULL, set->capacity, sizeof(set->functions[0]));
    if (set->count > 0)
        memcpy(set->functions, profile->functions, set->count * sizeof(set->functions[0]));
    return set;
}

static void function_add(struct function_set *set, const struct function_key *key)
{
    bool named = key->readable[0] != '\0';
    char *name = named ? NULL : demangle(key->system_name);
    char *path = source_path(key->directory, key->filename);
    set->functions =
        memory_grown(set->functions, set->count, &set->capacity, sizeof(set->functions[0]));
    struct function *added = &set->functions[set->count++];
    added->name = profile_text(set->profile, named ? key->readable : name);
    added->system_name = profile_text(set->profile, key->system_name);
    added->filename = profile_text(set->profile, path);
    added->start_line = key->start_line;
    free(name);
    free(path);
}

static size_t text_put(char *at, const char *text)
{
    size_t size_bytes = strlen(text) + 1;
    memcpy(at, text, size_bytes);
    return size_bytes;
}

static struct function_entry *entry_new(const struct function_key *key)
{
    size_t room_bytes = strlen(key->readable) + strlen(key->system_name) + strlen(key->directory) +
                        strlen(key->filename) + 4 + sizeof(key->start_line);
    struct function_entry *entry = memory_zeroed(1, sizeof(*entry) + room_bytes);
    size_t used = text_put(entry->key, key->readable);
    used += text_put(entry->key + used, key->system_name);
    used += text_put(entry->key + used, key->directory);
    used += text_put(entry->key + used, key->filename);
    memcpy(entry->key + used, &key->start_line, sizeof(key->start_line));
    entry->key_bytes = (unsigned)room_bytes;
    return entry;
}

/* Paths are told apart as they are written: cleaning each would cost more than a double entry. */
int function_set_add(struct function_set *set, const struct function_key *key)
{
    struct function_entry *entry = entry_new(key), *known = NULL;
    HASH_FIND(hh, set->entries, entry->key, entry->key_bytes, known);
    if (known != NULL) {
        free(entry);
        return known->index;
    }
    entry->index = (int)set->count;
    HASH_ADD_KEYPTR(hh, set->entries, entry->key, entry->key_bytes, entry);
    function_add(set, key);
    return entry->index;
}

void function_set_close(struct function_set *set)
{
    struct profile *profile = set->profile;
    struct function_entry *entry, *next;
    profile->functions = profile_alloc(profile, set->count, sizeof(set->functions[0]));
    if (set->count > 0)
        memcpy(profile->functions, set->functions, set->count * sizeof(set->functions[0]));
    profile->function_count = set->count;
    HASH_ITER(hh, set->entries, entry, next)
    {
        HASH_DEL(set->entries, entry);
        free(entry);
    }
    free(set->functions);
    free(set);
}
