#include "block.h"

#include "plate.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/*
 * The shadow is made of plates. The root holds a leaf's address for each 64 MiB of address space. A
 * leaf's words are entries: one for each KiB, then one for each 16 bytes:
 *
 *   bits 0-23 site | 24-27 epoch | 28 first | 29-34 place | 35-63 size code
 *
 * A size code of 0 means no block starts here. Small entries keep size + 1. Large entries keep the
 * block's place in its KiB (in units of 16 bytes) and the size, or, with BLOCK_HUGE set, its low 28 bits;
 * the high ones are then in the next KiB's entry (code 0), which the same block owns.
 */
enum {
    BLOCK_ADDRESS_BITS = 48, /* aarch64; x86_64 has 47. More is for those who ask for it */
    BLOCK_LEAF_BITS = 26,    /* 64 MiB: 33 MiB of address space a leaf works under `ulimit -v` */
    BLOCK_SMALL_BITS = 4,
    BLOCK_LARGE_BITS = 10,

    BLOCK_ROOT_WORDS = 1 << (BLOCK_ADDRESS_BITS - BLOCK_LEAF_BITS),
    BLOCK_LARGE_WORDS = 1 << (BLOCK_LEAF_BITS - BLOCK_LARGE_BITS),
    BLOCK_SMALL_WORDS = 1 << (BLOCK_LEAF_BITS - BLOCK_SMALL_BITS),
    BLOCK_LEAF_WORDS = BLOCK_LARGE_WORDS + BLOCK_SMALL_WORDS,

    BLOCK_TAG_MASK = (1 << 29) - 1,
    BLOCK_PLACE_AT = 29,
    BLOCK_CODE_AT = 35
};

#define BLOCK_PLACE_MASK ((uint64_t)63)
#define BLOCK_HUGE       ((uint64_t)1 << 28)

static_assert(offsetof(struct block, size_bytes) == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the fields before the size are one word, the first in its lowest bits");
static_assert(BLOCK_LARGE_BYTES == 1 << BLOCK_LARGE_BITS, "one large block a KiB");

static struct {
    uint64_t root;     /* address of the root plate, set once by root_get() */
    size_t root_words; /* how far `root` may be indexed: 0 until it is there */
} shadow;

static uint64_t *root_get(void)
{
    uint64_t *root = plate_get(&shadow.root, BLOCK_ROOT_WORDS);
    if (root)
        /* pairs: leaf_find() */
        __atomic_store_n(&shadow.root_words, BLOCK_ROOT_WORDS, __ATOMIC_RELEASE);
    return root;
}

/* The leaf over `address`, made if need be; NULL when there is no memory, or beyond 48 bits. */
static uint64_t *leaf_get(uintptr_t address)
{
    size_t index = address >> BLOCK_LEAF_BITS;
    if (index >= BLOCK_ROOT_WORDS)
        return NULL;
    uint64_t *root = root_get();
    if (!root)
        return NULL;
    plate_mark(root, BLOCK_ROOT_WORDS, index);
    return plate_get(&root[index], BLOCK_LEAF_WORDS);
}

/* The leaf over `address`, or NULL. */
static inline uint64_t *leaf_find(uintptr_t address)
{
    size_t index = address >> BLOCK_LEAF_BITS;
    /* pairs: root_get() */
    if (__builtin_expect(index >= __atomic_load_n(&shadow.root_words, __ATOMIC_ACQUIRE), 0))
        return NULL;
    /* pairs: plate_get() */
    return (uint64_t *)__atomic_load_n(&((uint64_t *)shadow.root)[index], __ATOMIC_ACQUIRE);
}

static inline size_t large_index(uintptr_t address)
{
    return (address >> BLOCK_LARGE_BITS) % BLOCK_LARGE_WORDS;
}

static inline size_t small_index(uintptr_t address)
{
    return BLOCK_LARGE_WORDS + (address >> BLOCK_SMALL_BITS) % BLOCK_SMALL_WORDS;
}

/*
 * Entries are relaxed: only the thread that owns an address writes its entry, and the allocator's own
 * hand-over of the address orders one owner after another. They are atomic because a
 * thread that owns one block of a KiB reads the KiB's large entry, which may be another's.
 */
static inline uint64_t slot_load(const uint64_t *slot)
{
    return __atomic_load_n(slot, __ATOMIC_RELAXED);
}

static inline void slot_store(uint64_t *slot, uint64_t entry)
{
    __atomic_store_n(slot, entry, __ATOMIC_RELAXED);
}

/* The first word of a struct block is laid out as an entry's low 29 bits. */
static inline uint64_t entry_tag(const struct block *block)
{
    uint32_t tag;
    memcpy(&tag, block, sizeof(tag));
    return tag & BLOCK_TAG_MASK;
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
    uint32_t tag = (uint32_t)entry & BLOCK_TAG_MASK;
    memcpy(block, &tag, sizeof(tag));
    block->size_bytes = size_bytes;
}

/* The entry that holds the high bits of a huge block's size. */
static uint64_t *huge_rest(uint64_t *leaf, uintptr_t address)
{
    return &leaf[large_index(address + BLOCK_LARGE_BYTES)];
}

static uint64_t huge_high_bytes(uintptr_t address)
{
    uint64_t *leaf = leaf_find(address + BLOCK_LARGE_BYTES);
    return leaf ? slot_load(huge_rest(leaf, address)) * BLOCK_HUGE : 0;
}

/* Writes the high bits of a huge size; false when there is no memory for that entry. */
static bool huge_put(uintptr_t address, uint64_t size_bytes)
{
    uint64_t *leaf = leaf_get(address + BLOCK_LARGE_BYTES);
    if (!leaf)
        return false;
    plate_mark(leaf, BLOCK_LEAF_WORDS, large_index(address + BLOCK_LARGE_BYTES));
    slot_store(huge_rest(leaf, address), size_bytes / BLOCK_HUGE);
    return true;
}

static void large_decode(struct block *block, uintptr_t address, uint64_t entry)
{
    uint64_t size_bytes = entry_code(entry);
    if (entry_is_huge(entry))
        size_bytes = size_bytes - BLOCK_HUGE + huge_high_bytes(address);
    block_untag(block, entry, size_bytes);
}

static bool large_put(uint64_t *leaf, uintptr_t address, const struct block *block)
{
    uint64_t code = block->size_bytes;
    if (code >= BLOCK_HUGE) {
        if (!huge_put(address, code))
            return false;
        code = code % BLOCK_HUGE + BLOCK_HUGE;
    }
    plate_mark(leaf, BLOCK_LEAF_WORDS, large_index(address));
    slot_store(&leaf[large_index(address)],
               entry_tag(block) | entry_place(address) << BLOCK_PLACE_AT | code << BLOCK_CODE_AT);
    return true;
}

static inline void small_put(uint64_t *slot, const struct block *block)
{
    slot_store(slot, entry_tag(block) | (block->size_bytes + 1) << BLOCK_CODE_AT);
}

static inline void small_decode(struct block *block, uint64_t entry)
{
    block_untag(block, entry, entry_code(entry) - 1);
}

/* All of block_put(): also makes the leaf, marks the page, and drops a stale record. */
static __attribute__((noinline)) bool block_put_any(uintptr_t address, const struct block *block)
{
    uint64_t *leaf = leaf_get(address);
    if (!leaf)
        return false;
    size_t index = small_index(address);
    if (block->size_bytes < BLOCK_LARGE_BYTES) {
        plate_mark(leaf, BLOCK_LEAF_WORDS, index);
        small_put(&leaf[index], block);
        return true;
    }
    if (plate_marked(leaf, BLOCK_LEAF_WORDS, index))
        slot_store(&leaf[index], 0); /* or it would hide the large one */
    return large_put(leaf, address, block);
}

/* The usual case only, free of calls, so that no register need be saved. */
bool block_put(uintptr_t address, const struct block *block)
{
    uint64_t *leaf = leaf_find(address);
    if (__builtin_expect(!leaf || block->size_bytes >= BLOCK_LARGE_BYTES, 0))
        return block_put_any(address, block);
    size_t index = small_index(address);
    if (__builtin_expect(!plate_marked(leaf, BLOCK_LEAF_WORDS, index), 0))
        return block_put_any(address, block);
    small_put(&leaf[index], block);
    return true;
}

static __attribute__((noinline)) bool large_take(uint64_t *leaf, uintptr_t address,
                                                 struct block *block)
{
    uint64_t *slot = leaf ? &leaf[large_index(address)] : NULL;
    *block = (struct block){0};
    if (!slot || !entry_is_at(slot_load(slot), address))
        return false;
    large_decode(block, address, slot_load(slot));
    slot_store(slot, 0); /* a huge size's rest may stay: its code is 0 */
    return true;
}

/* A small entry that is set can only be its own address's, so it is looked at first. */
static inline uint64_t *small_find(uint64_t *leaf, uintptr_t address)
{
    size_t index = small_index(address);
    /* Reading an unmarked page would make the kernel map it. */
    return leaf && plate_marked(leaf, BLOCK_LEAF_WORDS, index) && slot_load(&leaf[index])
               ? &leaf[index]
               : NULL;
}

bool block_take(uintptr_t address, struct block *block)
{
    uint64_t *leaf = leaf_find(address);
    uint64_t *slot = small_find(leaf, address);
    if (!slot)
        return large_take(leaf, address, block);
    small_decode(block, slot_load(slot));
    slot_store(slot, 0);
    return true;
}

bool block_find(uintptr_t address, struct block *block)
{
    uint64_t *leaf = leaf_find(address);
    uint64_t *slot = small_find(leaf, address);
    if (slot) {
        small_decode(block, slot_load(slot));
        return true;
    }
    uint64_t entry = leaf ? slot_load(&leaf[large_index(address)]) : 0;
    *block = (struct block){0};
    if (!entry_is_at(entry, address))
        return false;
    large_decode(block, address, entry);
    return true;
}

/* A walk: over the root, then over one leaf after another. */
struct walk {
    void (*visit)(uintptr_t address, const struct block *block, void *context);
    void *context;
    uintptr_t base; /* first address under the leaf being walked */
};

static void small_visit(size_t index, uint64_t entry, void *context)
{
    const struct walk *walk = context;
    uintptr_t address = walk->base + ((index - BLOCK_LARGE_WORDS) << BLOCK_SMALL_BITS);
    struct block block;
    small_decode(&block, entry);
    walk->visit(address, &block, walk->context);
}

static void large_visit(size_t index, uint64_t entry, void *context)
{
    const struct walk *walk = context;
    if (!entry_code(entry))
        return; /* the rest of a huge block's size */
    uint64_t place = (entry >> BLOCK_PLACE_AT) & BLOCK_PLACE_MASK;
    uintptr_t address = walk->base + (index << BLOCK_LARGE_BITS) + (place << BLOCK_SMALL_BITS);
    struct block block;
    large_decode(&block, address, entry);
    walk->visit(address, &block, walk->context);
}

static void leaf_each_small(size_t index, uint64_t leaf, void *context)
{
    struct walk *walk = context;
    struct plate_part part = {(uint64_t *)leaf, BLOCK_LEAF_WORDS, BLOCK_LARGE_WORDS,
                              BLOCK_LEAF_WORDS};
    walk->base = index << BLOCK_LEAF_BITS;
    plate_each(&part, small_visit, walk);
}

static void leaf_each_large(size_t index, uint64_t leaf, void *context)
{
    struct walk *walk = context;
    struct plate_part part = {(uint64_t *)leaf, BLOCK_LEAF_WORDS, 0, BLOCK_LARGE_WORDS};
    walk->base = index << BLOCK_LEAF_BITS;
    plate_each(&part, large_visit, walk);
}

void block_each(void (*visit)(uintptr_t address, const struct block *block, void *context),
                void *context)
{
    struct walk walk = {visit, context, 0};
    /* pairs: root_get() */
    if (!__atomic_load_n(&shadow.root_words, __ATOMIC_ACQUIRE))
        return;
    struct plate_part root = {(uint64_t *)shadow.root, BLOCK_ROOT_WORDS, 0, BLOCK_ROOT_WORDS};
    plate_each(&root, leaf_each_small, &walk);
    plate_each(&root, leaf_each_large, &walk);
}

uint64_t block_own_bytes(void)
{
    return plate_own_bytes();
}
