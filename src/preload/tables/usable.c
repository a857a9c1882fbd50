#include "usable.h"

#include "format/box.h"

#include "preload/ground/sys.h"

enum {
    SHIFT = 10, /* of the first chunk; they double as a table's do */
    CHUNKS = BOX_CHUNKS_MAX,

    MAPPED_HEADER_BYTES = 16, /* of a chunk of glibc's that is a mapping of its own */
    MAPPED_PAGE_BYTES = 4096,

    QUARTERS_BYTES_MIN = 1024 /* smaller ones have a lot */
};

struct usable usable;

static struct {
    size_t (*ask)(void *);
    uint32_t *chunks[CHUNKS]; /* slack + 1 by lot; 0: not learnt; atomic */
    uint32_t fits, fits_not;  /* sizes that are, or are not, one of four for each power of two */
    uint64_t own_bytes;
} state;

void usable_init(size_t (*ask)(void *address), bool formula)
{
    state.ask = ask;
    usable.formula = formula;
}

static uint32_t *chunk_make(unsigned chunk)
{
    size_t bytes = box_chunk_entries(SHIFT, chunk) * sizeof(uint32_t);
    uint32_t *fresh = sys_pages(bytes), *present = NULL;
    if (!fresh)
        return NULL;
    if (!__atomic_compare_exchange_n(&state.chunks[chunk], &present, fresh, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        sys_pages_free(fresh, bytes);
        return present;
    }
    __atomic_fetch_add(&state.own_bytes, bytes, __ATOMIC_RELAXED);
    return fresh;
}

static uint32_t *cell(uint32_t lot, bool make)
{
    unsigned chunk = box_chunk_of(lot, SHIFT);
    uint32_t *cells =
        chunk < CHUNKS ? __atomic_load_n(&state.chunks[chunk], __ATOMIC_ACQUIRE) : NULL;
    if (!cells && make && chunk < CHUNKS)
        cells = chunk_make(chunk);
    return cells ? cells + box_place_of(lot, SHIFT, chunk) : NULL;
}

/* The next size that is one of four for each power of two. */
static uint64_t quarter_up(uint64_t size_bytes)
{
    unsigned shift = 61u - (unsigned)__builtin_clzll(size_bytes - 1);
    return (((size_bytes - 1) >> shift) + 1) << shift;
}

static __attribute__((noinline)) void learn(uint32_t *known, void *address, uint64_t size_bytes)
{
    uint64_t usable_bytes = state.ask(address);
    uint64_t slack_bytes = usable_bytes > size_bytes ? usable_bytes - size_bytes : 0;
    if (known)
        __atomic_store_n(known, slack_bytes < UINT32_MAX - 1 ? (uint32_t)slack_bytes + 1 : 1,
                         __ATOMIC_RELAXED);
    if (size_bytes >= QUARTERS_BYTES_MIN)
        __atomic_store_n(usable_bytes == quarter_up(size_bytes) ? &state.fits : &state.fits_not, 1,
                         __ATOMIC_RELAXED);
}

void usable_learn(uint32_t lot, void *address, uint64_t size_bytes)
{
    if (usable.formula || !state.ask || lot == BOX_NONE)
        return;
    uint32_t *known = cell(lot, true);
    if (known && __atomic_load_n(known, __ATOMIC_RELAXED) == 0)
        learn(known, address, size_bytes);
}

static uint64_t slack_of_glibc(uintptr_t address, uint64_t size_bytes, bool mapped)
{
    if (mapped && address % MAPPED_PAGE_BYTES == MAPPED_HEADER_BYTES)
        return -(size_bytes + MAPPED_HEADER_BYTES) % MAPPED_PAGE_BYTES;
    return (USABLE_HEADER_BYTES - size_bytes) % USABLE_ALIGN;
}

uint64_t usable_slack_rare(uint32_t lot, uintptr_t address, uint64_t size_bytes, bool mapped)
{
    if (usable.formula)
        return slack_of_glibc(address, size_bytes, mapped);
    uint32_t *known = lot != BOX_NONE ? cell(lot, false) : NULL;
    uint32_t learnt = known ? __atomic_load_n(known, __ATOMIC_RELAXED) : 0;
    if (learnt)
        return learnt - 1;
    bool quarters = __atomic_load_n(&state.fits, __ATOMIC_RELAXED) &&
                    !__atomic_load_n(&state.fits_not, __ATOMIC_RELAXED);
    return lot == BOX_NONE && quarters && size_bytes >= QUARTERS_BYTES_MIN
               ? quarter_up(size_bytes) - size_bytes
               : 0;
}

uint64_t usable_own_bytes(void)
{
    return __atomic_load_n(&state.own_bytes, __ATOMIC_RELAXED);
}
