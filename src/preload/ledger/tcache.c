#include "tcache.h"

#include "preload/ground/order.h"
#include "preload/ground/peek.h"
#include "preload/ground/permit.h"
#include "preload/ground/sys.h"
#include "preload/tables/thread.h"

#include <assert.h>
#include <link.h>
#include <string.h>

enum {
    SIZE_BYTES = 520,     /* of the experiment: few ask for it, so its bin is not full */
    CHUNK_MIN_BYTES = 32, /* glibc's sizes: 32, 48, 64 ... with 8 bytes of header */
    CHUNK_STEP_BYTES = 16,
    HEADER_BYTES = 8,
    BINS = 64, /* of these sizes */
    STRUCT_BYTES_MAX = 8192,
    CHAIN_MAX = 1024, /* 7 unless it has been tuned */
    CHUNKS_PER_THREAD = 7 * BINS,
    CHUNKS_MAX = 1 << 16, /* 1 MiB of list */
    MANGLE_SHIFT = 12     /* glibc 2.32: pointers are stored xor their own place >> 12 */
};

static_assert((int)BINS <= (int)PEEK_WORDS_MAX, "one call for one block of each size");

static struct {
    intptr_t pointer_at; /* where a thread has the address of its cache, from the thread pointer */
    uint64_t bins_at;    /* in the cache: the first chunk of each size */
    bool mangled;
    bool known;
} state;

/* The experiment. */

struct storage {
    uintptr_t code;    /* in the object that is looked for */
    const char *start; /* this thread's variables of that object */
    size_t size_bytes;
};

static int visit_object(struct dl_phdr_info *object, size_t size_bytes, void *context)
{
    struct storage *storage = context;
    bool has_code = false;
    size_t storage_bytes = 0;
    (void)size_bytes;
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + segment->p_vaddr;
        has_code |= segment->p_type == PT_LOAD && storage->code - start < segment->p_memsz;
        if (segment->p_type == PT_TLS)
            storage_bytes = segment->p_memsz;
    }
    if (!has_code)
        return 0;
    storage->start = object->dlpi_tls_data;
    storage->size_bytes = storage->start ? storage_bytes : 0;
    return 1;
}

static uint64_t word_at(uintptr_t address)
{
    uint64_t word;
    memcpy(&word, (const void *)address, sizeof(word));
    return word;
}

/* Where the block at `address`, which may be none, has the word `wanted`; 0: nowhere. */
static uintptr_t find_inside(uintptr_t address, uint64_t wanted)
{
    if (address == 0 || address % CHUNK_STEP_BYTES != 0 || !sys_readable(address - HEADER_BYTES))
        return 0;
    uint64_t size_bytes = word_at(address - HEADER_BYTES) & -(uint64_t)CHUNK_STEP_BYTES;
    if (size_bytes < BINS * sizeof(uint64_t) || size_bytes > STRUCT_BYTES_MAX ||
        !sys_readable(address) || !sys_readable(address + size_bytes - 1))
        return 0;
    for (uintptr_t at = address; at < address + size_bytes - CHUNK_STEP_BYTES;
         at += sizeof(uint64_t))
        if (word_at(at) == wanted)
            return at;
    return 0;
}

/* The second block that was freed comes first in its bin, and leads to the first one. */
static bool learn_from(const struct storage *storage, uintptr_t first, uintptr_t second)
{
    enum { BIN = (SIZE_BYTES + HEADER_BYTES - CHUNK_MIN_BYTES) / CHUNK_STEP_BYTES };
    uint64_t link = word_at(second);
    state.mangled = link == (first ^ second >> MANGLE_SHIFT);
    if (!state.mangled && link != first)
        return false;
    for (size_t at = 0; at + sizeof(uintptr_t) <= storage->size_bytes; at += sizeof(uintptr_t)) {
        uintptr_t variable = (uintptr_t)storage->start + at, cache = word_at(variable);
        uintptr_t bin = find_inside(cache, second);
        if (bin < cache + BIN * sizeof(uint64_t))
            continue;
        state.bins_at = bin - BIN * sizeof(uint64_t) - cache;
        state.pointer_at = (intptr_t)(variable - (uintptr_t)__builtin_thread_pointer());
        return true;
    }
    return false;
}

void tcache_learn(void *(*take)(size_t), void (*give)(void *))
{
    struct storage storage = {.code = (uintptr_t)take};
    if (!dl_iterate_phdr(visit_object, &storage) || storage.size_bytes == 0)
        return;
    void *first = take(SIZE_BYTES), *second = take(SIZE_BYTES);
    uintptr_t first_at = (uintptr_t)first, second_at = (uintptr_t)second;
    give(first);
    give(second);
    if (first_at != 0 && second_at != 0)
        state.known = learn_from(&storage, first_at, second_at);
}

/* A list. */

/* False: there is no room for all of them. */
static bool list_add(struct tcache_list *list, const uint64_t *chunks, const uint8_t *bins,
                     size_t count)
{
    if (list->room - list->count < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        uint64_t usable_bytes =
            CHUNK_MIN_BYTES - HEADER_BYTES + (uint64_t)bins[i] * CHUNK_STEP_BYTES;
        list->chunks[list->count++] = (struct tcache_chunk){chunks[i], chunks[i] + usable_bytes};
    }
    return true;
}

/* Drops what is no chunk: the ends of chains, and what another thread has changed meanwhile. */
static size_t keep_chunks(uint64_t *chunks, uint8_t *bins, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (chunks[i] == 0 || chunks[i] % CHUNK_STEP_BYTES != 0)
            continue;
        bins[kept] = bins[i];
        chunks[kept++] = chunks[i];
    }
    return kept;
}

static void gather_chains(struct tcache_list *list, uint64_t cache)
{
    uint64_t chunks[BINS], from[BINS];
    uint8_t bins[BINS];
    size_t count = BINS;
    for (unsigned i = 0; i < BINS; i++) {
        from[i] = cache + state.bins_at + i * sizeof(uint64_t);
        bins[i] = (uint8_t)i;
    }
    list->whole &= peek_words(from, chunks, count);
    for (int length = 0; (count = keep_chunks(chunks, bins, count)) > 0; length++) {
        if (length == CHAIN_MAX || !list_add(list, chunks, bins, count)) {
            list->whole = false;
            return;
        }
        memcpy(from, chunks, sizeof(from));
        list->whole &= peek_words(from, chunks, count);
        for (size_t i = 0; i < count && state.mangled; i++)
            chunks[i] ^= from[i] >> MANGLE_SHIFT;
    }
}

static void gather_thread(struct tcache_list *list, uintptr_t pointer)
{
    uint64_t variable = pointer + (uint64_t)state.pointer_at, cache = 0;
    if (peek_words(&variable, &cache, 1) && cache != 0)
        gather_chains(list, cache);
}

static bool make_room(struct tcache_list *list)
{
    size_t threads = 0;
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        threads += __atomic_load_n(&thread->tid, __ATOMIC_RELAXED) != 0;
    size_t room = (threads + 1) * CHUNKS_PER_THREAD;
    list->room = room < CHUNKS_MAX ? room : CHUNKS_MAX;
    list->chunks = sys_pages(list->room * sizeof(*list->chunks));
    return list->chunks != NULL;
}

void tcache_gather(struct tcache_list *list)
{
    *list = (struct tcache_list){0};
    if (!state.known || !permit_has(PERMIT_PEEKS) || !make_room(list))
        return;
    list->whole = true;
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        if (__atomic_load_n(&thread->tid, __ATOMIC_RELAXED) != 0)
            gather_thread(list, __atomic_load_n(&thread->pointer, __ATOMIC_RELAXED));
    order(list->chunks, list->count, sizeof(*list->chunks));
}

void tcache_list_free(struct tcache_list *list)
{
    if (list->chunks)
        sys_pages_free(list->chunks, list->room * sizeof(*list->chunks));
    *list = (struct tcache_list){0};
}
