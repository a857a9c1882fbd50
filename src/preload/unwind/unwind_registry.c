#include "unwind_registry.h"
#include "row.h"
#include "unwind_memory.h"
#include "preload/ground/sys.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

enum {
    CHUNK_BYTES = 4096,
    CHUNK_ENTRIES = 84,
    SECTION_BYTES_MAX = 64 << 20 /* a length that leads farther is not one */
};

/* Odd version: being written; readers pass it by. A reader that sees it change looks again. */
struct entry {
    _Atomic uint64_t version;
    _Atomic uintptr_t key; /* as registered; 0: the entry is free */
    _Atomic uintptr_t start, end;
    _Atomic uintptr_t low, high; /* addresses that it is about */
};

struct chunk {
    _Atomic(struct chunk *) next;
    _Atomic uint32_t used; /* entries taken, or about to be */
    struct entry entries[CHUNK_ENTRIES];
};

static_assert(sizeof(struct chunk) <= CHUNK_BYTES, "a chunk is a page");

static struct {
    _Atomic(struct chunk *) first;
    _Atomic uint64_t own_bytes;
} registry;

/* The four bytes at `at`, read with care. */
static bool read_word(struct memory *memory, uintptr_t at, uint32_t *word)
{
    if (!memory_check(memory, at, sizeof(*word)))
        return false;
    memcpy(word, (const void *)at, sizeof(*word));
    return true;
}

/* Where the entry at `at` ends: all of it is readable; 0: it is not. *at: past its length. */
static uintptr_t entry_end(struct memory *memory, uintptr_t *at)
{
    uint32_t word;
    uint64_t length;
    if (!read_word(memory, *at, &word))
        return 0;
    *at += sizeof(word);
    length = word;
    if (word == UINT32_MAX) {
        if (!memory_check(memory, *at, sizeof(length)))
            return 0;
        memcpy(&length, (const void *)*at, sizeof(length));
        *at += sizeof(length);
    }
    if (length > SECTION_BYTES_MAX || (length > 0 && !memory_check(memory, *at, length)))
        return 0;
    return *at + length;
}

/* A function's entry alone: from its common entry to its own end. */
static bool section_of_one(struct cfi_section *section, uintptr_t at, uint32_t back, uintptr_t end)
{
    struct memory memory = {0};
    uintptr_t common = at - back;
    uintptr_t body = common;
    if (back > SECTION_BYTES_MAX || entry_end(&memory, &body) == 0)
        return false;
    *section = (struct cfi_section){(const uint8_t *)common, (const uint8_t *)end, NULL};
    return true;
}

/* Finds the end of what begins at `entries`. */
static bool section_measure(struct cfi_section *section, uintptr_t entries)
{
    struct memory memory = {0};
    uintptr_t at = entries;
    for (bool first = true; at - entries < SECTION_BYTES_MAX; first = false) {
        uintptr_t body = at;
        uintptr_t end = entry_end(&memory, &body);
        uint32_t back = 0;
        if (end == 0)
            return false;
        if (end == body) {
            *section = (struct cfi_section){(const uint8_t *)entries, (const uint8_t *)end, NULL};
            return !first;
        }
        if (first && read_word(&memory, body, &back) && back != 0)
            return section_of_one(section, body, back, end);
        at = end;
    }
    return false;
}

/* A chunk for the end of the list; NULL when memory is out. */
static struct chunk *chunk_after(_Atomic(struct chunk *) *link)
{
    struct chunk *expected = NULL;
    struct chunk *chunk = sys_pages(CHUNK_BYTES);
    if (chunk == NULL)
        return NULL;
    /* pairs: registry_find() */
    if (!atomic_compare_exchange_strong(link, &expected, chunk)) {
        sys_pages_free(chunk, CHUNK_BYTES);
        return expected;
    }
    atomic_fetch_add_explicit(&registry.own_bytes, CHUNK_BYTES, memory_order_relaxed);
    return chunk;
}

/* Makes the entry this thread's to write if its key is `key`; *version is what it then has. */
static bool entry_claim(struct entry *entry, uintptr_t key, uint64_t *version)
{
    *version = atomic_load(&entry->version);
    if (*version % 2 != 0 || atomic_load(&entry->key) != key)
        return false;
    return atomic_compare_exchange_strong(&entry->version, version, *version + 1);
}

static void entry_publish(struct entry *entry, uint64_t version)
{
    /* pairs: entry_read() */
    atomic_store_explicit(&entry->version, version + 2, memory_order_release);
}

/* An entry of the chunk's, claimed; NULL when all are taken. */
static struct entry *chunk_claim(struct chunk *chunk, uintptr_t key, uint64_t *version)
{
    for (uint32_t i = 0; i < CHUNK_ENTRIES; i++) {
        if (entry_claim(&chunk->entries[i], key, version))
            return &chunk->entries[i];
    }
    return NULL;
}

static struct entry *entry_free(uint64_t *version)
{
    _Atomic(struct chunk *) *link = &registry.first;
    for (;;) {
        struct chunk *chunk = atomic_load(link);
        if (chunk == NULL)
            chunk = chunk_after(link);
        if (chunk == NULL)
            return NULL;
        struct entry *entry = NULL;
        if (atomic_load(&chunk->used) < CHUNK_ENTRIES)
            entry = chunk_claim(chunk, 0, version);
        if (entry != NULL) {
            atomic_fetch_add(&chunk->used, 1);
            return entry;
        }
        link = &chunk->next;
    }
}

bool registry_add(const void *entries)
{
    struct cfi_section section;
    uint64_t low, high, version;
    if (!section_measure(&section, (uintptr_t)entries) || !cfi_span(&section, &low, &high))
        return false;
    struct entry *entry = entry_free(&version);
    if (entry == NULL)
        return false;
    atomic_store(&entry->key, (uintptr_t)entries);
    atomic_store(&entry->start, (uintptr_t)section.start);
    atomic_store(&entry->end, (uintptr_t)section.end);
    atomic_store(&entry->low, low);
    atomic_store(&entry->high, high);
    entry_publish(entry, version);
    row_forget_range(low - 1, high); /* a return address before the first may mean its start */
    return true;
}

bool registry_remove(const void *entries)
{
    if (entries == NULL)
        return false;
    for (struct chunk *chunk = atomic_load(&registry.first); chunk != NULL;
         chunk = atomic_load(&chunk->next)) {
        uint64_t version;
        struct entry *entry = chunk_claim(chunk, (uintptr_t)entries, &version);
        if (entry == NULL)
            continue;
        uintptr_t low = atomic_exchange(&entry->low, 0);
        uintptr_t high = atomic_exchange(&entry->high, 0);
        atomic_store(&entry->key, 0);
        entry_publish(entry, version);
        atomic_fetch_sub(&chunk->used, 1);
        row_forget_range(low - 1, high);
        return true;
    }
    return false;
}

/* True when the entry is about `address` and its section can still be read. */
static bool entry_read(const struct entry *entry, uintptr_t address, struct cfi_section *section)
{
    uint64_t version;
    do {
        version = atomic_load(&entry->version);
        if (version % 2 != 0 || address < atomic_load(&entry->low) ||
            address >= atomic_load(&entry->high))
            return false;
        section->start = (const uint8_t *)atomic_load(&entry->start);
        section->end = (const uint8_t *)atomic_load(&entry->end);
        section->index = NULL;
    } while (atomic_load(&entry->version) != version);
    struct memory memory = {0};
    return memory_check(&memory, (uintptr_t)section->start,
                        (uintptr_t)(section->end - section->start));
}

bool registry_find(uintptr_t address, struct cfi_section *section)
{
    for (const struct chunk *chunk = atomic_load(&registry.first); chunk != NULL;
         chunk = atomic_load(&chunk->next)) {
        for (uint32_t i = 0; i < CHUNK_ENTRIES; i++) {
            if (entry_read(&chunk->entries[i], address, section))
                return true;
        }
    }
    return false;
}

uint64_t registry_own_bytes(void)
{
    return atomic_load(&registry.own_bytes);
}
