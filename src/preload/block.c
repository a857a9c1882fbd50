#include "block.h"

#include "sys.h"

#include <assert.h>
#include <stddef.h>
#include <sys/mman.h>

/*
 * The shadow is made of plates: reserved arrays of words in which few pages are ever touched,
 * followed by one byte for each of their pages that says which. A root plate holds a leaf plate's
 * address for each 64 MiB of address space; a leaf plate's words are entries:
 *
 *   bits 0-23 site | 24-27 epoch | 28 first | 29-34 place | 35-63 size code
 *
 * A size code of 0 means no block starts here. Small entries keep size + 1. Large entries keep the
 * block's place in its KiB (in units of 16 bytes) and the size, or, with BLOCK_HUGE set, its low 28
 * bits; the high ones are then in the next entry (code 0), whose whole KiB the same block owns.
 */
enum {
    BLOCK_ADDRESS_BITS =
        48,               /* aarch64; x86_64 has 47. More is only handed out to who asks for it */
    BLOCK_LEAF_BITS = 26, /* 64 MiB: 32 MiB of address space a leaf works under `ulimit -v` */
    BLOCK_SMALL_BITS = 4,
    BLOCK_LARGE_BITS = 10,
    BLOCK_PAGE_BYTES = 4096, /* of the touched bytes; a larger page of the kernel's does no harm */
    BLOCK_PAGE_WORDS = BLOCK_PAGE_BYTES / 8,

    BLOCK_EPOCH_AT = 24,
    BLOCK_FIRST_AT = 28,
    BLOCK_PLACE_AT = 29,
    BLOCK_CODE_AT = 35
};

#define BLOCK_ROOT_WORDS       ((size_t)1 << (BLOCK_ADDRESS_BITS - BLOCK_LEAF_BITS))
#define BLOCK_LEAF_WORDS(bits) ((size_t)1 << (BLOCK_LEAF_BITS - (bits)))
#define BLOCK_PLACE_MASK       ((uint64_t)63)
#define BLOCK_HUGE             ((uint64_t)1 << 28)

static_assert(BLOCK_SITE_MAX == (1 << BLOCK_EPOCH_AT) - 1, "a site fills the bits below the epoch");
static_assert(BLOCK_EPOCHS == 1 << (BLOCK_FIRST_AT - BLOCK_EPOCH_AT), "so does an epoch");
static_assert(BLOCK_LARGE_BYTES == 1 << BLOCK_LARGE_BITS, "one large block a KiB");

/* Roots are published by plate_get(); once set they never change. */
static struct {
    uint64_t *small;
    uint64_t *large;
    uint64_t own_bytes; /* atomic, relaxed */
} shadow;

static uint8_t *plate_touched(uint64_t *plate, size_t words)
{
    return (uint8_t *)(plate + words);
}

static size_t plate_bytes(size_t words)
{
    return words * sizeof(uint64_t) + words / BLOCK_PAGE_WORDS;
}

static uint64_t *plate_new(size_t words)
{
    uint64_t *plate = sys_pages(plate_bytes(words));
    if (plate)
        /* One entry would otherwise cost 2 MiB where huge pages are always on. */
        sys_call3(SYS_madvise, (long)plate, (long)plate_bytes(words), MADV_NOHUGEPAGE);
    return plate;
}

static __attribute__((noinline)) void plate_touch(uint8_t *touched)
{
    if (!__atomic_exchange_n(touched, 1, __ATOMIC_RELAXED))
        __atomic_fetch_add(&shadow.own_bytes, BLOCK_PAGE_BYTES, __ATOMIC_RELAXED);
}

/* Must come before the first store into a page: block_each() skips the others. */
static inline void plate_mark(uint64_t *plate, size_t words, size_t index)
{
    uint8_t *touched = plate_touched(plate, words) + index / BLOCK_PAGE_WORDS;
    if (__builtin_expect(!__atomic_load_n(touched, __ATOMIC_RELAXED), 0))
        plate_touch(touched);
}

/* The plate that *holder points to, made if need be; NULL when there is no memory. */
static __attribute__((noinline)) uint64_t *plate_get(uint64_t **holder, size_t words)
{
    /* pairs: the release below */
    uint64_t *plate = __atomic_load_n(holder, __ATOMIC_ACQUIRE);
    if (plate)
        return plate;
    uint64_t *fresh = plate_new(words);
    if (!fresh)
        return NULL;
    /* pairs: the acquire above and in slot_find(): its zeroes are there before it is seen */
    if (__atomic_compare_exchange_n(holder, &plate, fresh, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return fresh;
    sys_pages_free(fresh, plate_bytes(words));
    return plate;
}

/* Where a leaf's address is kept; makes the root. */
static uint64_t **leaf_holder(uint64_t **root_holder, uintptr_t address)
{
    size_t index = address >> BLOCK_LEAF_BITS;
    if (index >= BLOCK_ROOT_WORDS)
        return NULL;
    uint64_t *root = plate_get(root_holder, BLOCK_ROOT_WORDS);
    if (!root)
        return NULL;
    plate_mark(root, BLOCK_ROOT_WORDS, index);
    return (uint64_t **)&root[index];
}

/* The leaf over `address`, or NULL. */
static inline uint64_t *leaf_find(uint64_t *const *root_holder, uintptr_t address)
{
    size_t index = address >> BLOCK_LEAF_BITS;
    /* pairs: plate_get() */
    uint64_t **root = __atomic_load_n((uint64_t ***)root_holder, __ATOMIC_ACQUIRE);
    if (__builtin_expect(!root || index >= BLOCK_ROOT_WORDS, 0))
        return NULL;
    return __atomic_load_n(&root[index], __ATOMIC_ACQUIRE);
}

static inline size_t slot_index(uintptr_t address, int bits)
{
    return (address >> bits) & (BLOCK_LEAF_WORDS(bits) - 1);
}

/* The entry of `address`, or NULL when nothing was ever put near it. */
static inline uint64_t *slot_find(uint64_t *const *root_holder, uintptr_t address, int bits)
{
    uint64_t *leaf = leaf_find(root_holder, address);
    return __builtin_expect(leaf != NULL, 1) ? &leaf[slot_index(address, bits)] : NULL;
}

static __attribute__((noinline)) uint64_t *leaf_make(uint64_t **root_holder, uintptr_t address,
                                                     int bits)
{
    uint64_t **holder = leaf_holder(root_holder, address);
    return holder ? plate_get(holder, BLOCK_LEAF_WORDS(bits)) : NULL;
}

/* The entry of `address`, to be written; NULL when there is no memory. */
static inline uint64_t *slot_make(uint64_t **root_holder, uintptr_t address, int bits)
{
    uint64_t *leaf = leaf_find(root_holder, address);
    if (__builtin_expect(!leaf, 0)) {
        leaf = leaf_make(root_holder, address, bits);
        if (!leaf)
            return NULL;
    }
    plate_mark(leaf, BLOCK_LEAF_WORDS(bits), slot_index(address, bits));
    return &leaf[slot_index(address, bits)];
}

/*
 * Entries are relaxed: only the thread that owns an address writes its entry, and the allocator's
 * own hand-over of the address orders one owner after another. They are atomic because a thread
 * that owns one block of a KiB reads the KiB's large entry, which may be another's.
 */
static inline uint64_t slot_load(const uint64_t *slot)
{
    return slot ? __atomic_load_n(slot, __ATOMIC_RELAXED) : 0;
}

static inline void slot_store(uint64_t *slot, uint64_t entry)
{
    __atomic_store_n(slot, entry, __ATOMIC_RELAXED);
}

static inline uint64_t entry_tag(const struct block *block)
{
    return (block->site & BLOCK_SITE_MAX) |
           (uint64_t)(block->epoch % BLOCK_EPOCHS) << BLOCK_EPOCH_AT |
           (uint64_t)block->first << BLOCK_FIRST_AT;
}

static inline uint64_t entry_code(uint64_t entry)
{
    return entry >> BLOCK_CODE_AT;
}

static inline uint64_t entry_place(uintptr_t address)
{
    return (address >> BLOCK_SMALL_BITS) & BLOCK_PLACE_MASK;
}

/* True when a large `entry` belongs to the block that starts at `address`. */
static inline bool entry_is_at(uint64_t entry, uintptr_t address)
{
    return entry_code(entry) != 0 &&
           ((entry >> BLOCK_PLACE_AT) & BLOCK_PLACE_MASK) == entry_place(address);
}

static inline bool entry_is_huge(uint64_t entry)
{
    return (entry_code(entry) & BLOCK_HUGE) != 0;
}

static inline void block_untag(struct block *block, uint64_t entry, uint64_t size_bytes)
{
    block->site = entry & BLOCK_SITE_MAX;
    block->epoch = (entry >> BLOCK_EPOCH_AT) % BLOCK_EPOCHS;
    block->first = (entry >> BLOCK_FIRST_AT) & 1;
    block->size_bytes = size_bytes;
}

/* The entry that holds the high bits of a huge block's size. */
static uint64_t *huge_rest(uintptr_t address)
{
    return slot_find(&shadow.large, address + BLOCK_LARGE_BYTES, BLOCK_LARGE_BITS);
}

static void large_decode(struct block *block, uintptr_t address, uint64_t entry)
{
    uint64_t size_bytes = entry_code(entry);
    if (entry_is_huge(entry)) {
        size_bytes -= BLOCK_HUGE;
        size_bytes += slot_load(huge_rest(address)) * BLOCK_HUGE;
    }
    block_untag(block, entry, size_bytes);
}

static void large_clear(uint64_t *slot, uintptr_t address)
{
    if (entry_is_huge(slot_load(slot)))
        slot_store(huge_rest(address), 0);
    slot_store(slot, 0);
}

/* Writes the high bits of a huge size; false when there is no memory for that entry. */
static bool huge_put(uintptr_t address, uint64_t size_bytes)
{
    uint64_t *rest = slot_make(&shadow.large, address + BLOCK_LARGE_BYTES, BLOCK_LARGE_BITS);
    if (!rest)
        return false;
    slot_store(rest, size_bytes / BLOCK_HUGE);
    return true;
}

static __attribute__((noinline)) bool large_put(uintptr_t address, const struct block *block)
{
    uint64_t code = block->size_bytes;
    uint64_t *stale = slot_find(&shadow.small, address, BLOCK_SMALL_BITS);
    if (slot_load(stale))
        slot_store(stale, 0);
    uint64_t *slot = slot_make(&shadow.large, address, BLOCK_LARGE_BITS);
    if (!slot)
        return false;
    if (code >= BLOCK_HUGE) {
        if (!huge_put(address, code))
            return false;
        code = code % BLOCK_HUGE + BLOCK_HUGE;
    }
    slot_store(slot,
               entry_tag(block) | entry_place(address) << BLOCK_PLACE_AT | code << BLOCK_CODE_AT);
    return true;
}

bool block_put(uintptr_t address, const struct block *block)
{
    if (block->size_bytes >= BLOCK_LARGE_BYTES)
        return large_put(address, block);
    uint64_t *stale = slot_find(&shadow.large, address, BLOCK_LARGE_BITS);
    if (__builtin_expect(entry_is_at(slot_load(stale), address), 0))
        large_clear(stale, address);
    uint64_t *slot = slot_make(&shadow.small, address, BLOCK_SMALL_BITS);
    if (__builtin_expect(!slot, 0))
        return false;
    slot_store(slot, entry_tag(block) | (block->size_bytes + 1) << BLOCK_CODE_AT);
    return true;
}

/* Decodes the record at `address`; its entry, or NULL (and a zeroed *block). */
static inline uint64_t *block_at(uintptr_t address, struct block *block)
{
    uint64_t *slot = slot_find(&shadow.large, address, BLOCK_LARGE_BITS);
    uint64_t entry = slot_load(slot);
    if (entry_is_at(entry, address)) {
        large_decode(block, address, entry);
        return slot;
    }
    slot = slot_find(&shadow.small, address, BLOCK_SMALL_BITS);
    entry = slot_load(slot);
    if (__builtin_expect(entry == 0, 0)) {
        *block = (struct block){0};
        return NULL;
    }
    block_untag(block, entry, entry_code(entry) - 1);
    return slot;
}

bool block_take(uintptr_t address, struct block *block)
{
    uint64_t *slot = block_at(address, block);
    if (!slot)
        return false;
    if (__builtin_expect(block->size_bytes >= BLOCK_HUGE, 0))
        slot_store(huge_rest(address), 0);
    slot_store(slot, 0);
    return true;
}

bool block_find(uintptr_t address, struct block *block)
{
    return block_at(address, block) != NULL;
}

/* A walk: over a root, then over one leaf after another. */
struct walk {
    void (*visit)(uintptr_t address, const struct block *block, void *context);
    void *context;
    uintptr_t base; /* first address under the leaf being walked */
};

typedef void (*word_fn)(size_t index, uint64_t word, struct walk *walk);

static void page_each(const uint64_t *plate, size_t first, word_fn each, struct walk *walk)
{
    for (size_t index = first; index < first + BLOCK_PAGE_WORDS; index++) {
        /* pairs: plate_get(), when the plate is a root; entries need no order */
        uint64_t word = __atomic_load_n(&plate[index], __ATOMIC_ACQUIRE);
        if (word)
            each(index, word, walk);
    }
}

static void plate_each(uint64_t *plate, size_t words, word_fn each, struct walk *walk)
{
    uint8_t *touched = plate_touched(plate, words);
    for (size_t page = 0; page < words / BLOCK_PAGE_WORDS; page++)
        if (__atomic_load_n(&touched[page], __ATOMIC_RELAXED))
            page_each(plate, page * BLOCK_PAGE_WORDS, each, walk);
}

static void small_visit(size_t index, uint64_t entry, struct walk *walk)
{
    struct block block;
    block_untag(&block, entry, entry_code(entry) - 1);
    walk->visit(walk->base + (index << BLOCK_SMALL_BITS), &block, walk->context);
}

static void large_visit(size_t index, uint64_t entry, struct walk *walk)
{
    if (!entry_code(entry))
        return; /* the rest of a huge block's size */
    uint64_t place = (entry >> BLOCK_PLACE_AT) & BLOCK_PLACE_MASK;
    uintptr_t address = walk->base + (index << BLOCK_LARGE_BITS) + (place << BLOCK_SMALL_BITS);
    struct block block;
    large_decode(&block, address, entry);
    walk->visit(address, &block, walk->context);
}

static void small_leaf_each(size_t index, uint64_t leaf, struct walk *walk)
{
    walk->base = index << BLOCK_LEAF_BITS;
    plate_each((uint64_t *)leaf, BLOCK_LEAF_WORDS(BLOCK_SMALL_BITS), small_visit, walk);
}

static void large_leaf_each(size_t index, uint64_t leaf, struct walk *walk)
{
    walk->base = index << BLOCK_LEAF_BITS;
    plate_each((uint64_t *)leaf, BLOCK_LEAF_WORDS(BLOCK_LARGE_BITS), large_visit, walk);
}

void block_each(void (*visit)(uintptr_t address, const struct block *block, void *context),
                void *context)
{
    struct walk walk = {visit, context, 0};
    /* pairs: plate_get() */
    uint64_t *small = __atomic_load_n(&shadow.small, __ATOMIC_ACQUIRE);
    if (small)
        plate_each(small, BLOCK_ROOT_WORDS, small_leaf_each, &walk);
    uint64_t *large = __atomic_load_n(&shadow.large, __ATOMIC_ACQUIRE);
    if (large)
        plate_each(large, BLOCK_ROOT_WORDS, large_leaf_each, &walk);
}

uint64_t block_own_bytes(void)
{
    return __atomic_load_n(&shadow.own_bytes, __ATOMIC_RELAXED);
}
