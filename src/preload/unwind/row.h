/*
 * row.h - compiled unwind rules, one per code address.
 *
 * What it is: a cache from return address to "how to get from this frame to its caller". A rule that
 *   is common fits with its whole address into one 64-bit word, so an entry is read and replaced
 *   atomically and a hit is always exact; the rest are in a dictionary of wide rows.
 * Owns: the table (grows by replacement; old ones stay mapped, readers may be in them), the
 *   dictionary.
 * Context: hooks and signal handlers: lock-free; memory straight from the kernel.
 * Not here: reading .eh_frame (cfi.h), applying the rules (unwind.c).
 */
#ifndef HEAPDIFF_PRELOAD_ROW_H
#define HEAPDIFF_PRELOAD_ROW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum row_kind {
    ROW_NONE,   /* no rule is known: generated code, hand-written assembler */
    ROW_FRAME,  /* CFA = base + cfa_offset */
    ROW_DEREF,  /* CFA = *(base + cfa_offset) + cfa_add: realigned and switched stacks */
    ROW_SIGNAL, /* the kernel's signal frame lies at sp */
    ROW_END,    /* the outermost frame */
    ROW_FULL    /* needs other registers than sp and fp */
};

enum row_fp {
    ROW_FP_SAME,
    ROW_FP_FROM_CFA, /* saved at CFA + fp_offset */
    ROW_FP_FROM_FP   /* saved at fp + fp_offset */
};

struct row {
    uint8_t kind;
    uint8_t fp_rule;
    bool base_fp; /* the base is the frame pointer, not sp */
    int32_t cfa_offset;
    int32_t cfa_add;
    int32_t fp_offset;
    int32_t return_offset; /* the return address is at CFA + this */
};

/*
 * A word:  63..28 key >> 12 | 27..25 slots past home
 *          | 24..17 (CFA - where fp is saved) / 8, 0: fp is not saved
 *          | 16..3 (CFA - base) / 8, so that a mask alone gives bytes | 1 base is fp | 0 wide
 * The key's low 12 bits are those of the home slot. In wide words bits 24..1 are an index into the
 * dictionary. Zero is an empty slot.
 */
enum {
    ROW_KEY_SHIFT = 28,
    ROW_KEY_LOW_BITS = 12,
    ROW_KEY_BITS = 48,
    ROW_PROBES = 8, /* slots looked at: what three bits can say */
    ROW_PROBE_SHIFT = 25,
    ROW_WIDE = 1,
    ROW_BASE_FP = 2,
    ROW_CFA_BYTES = 0x1fff8,
    ROW_FP_SHIFT = 17,
    ROW_FP_SLOT_MAX = 0xff,
    ROW_PAYLOAD = (1 << ROW_PROBE_SHIFT) - 1,
    ROW_WIDE_SHIFT = 1
};

struct row_table {
    uint64_t mask; /* slots - 1 */
    _Atomic uint64_t used;
    _Atomic uint64_t *words; /* mask + 1 + ROW_PROBES: probing does not wrap */
};

extern _Atomic(struct row_table *) row_table_now; /* row.c's */

/* The table in force; take it once per walk. */
static inline const struct row_table *row_table(void)
{
    /* pairs: table_grow() */
    return atomic_load_explicit(&row_table_now, memory_order_acquire);
}

/* The word of a key that is not in its home slot, compiled when it is nowhere. */
uint64_t row_find(const struct row_table *table, uint64_t key);

/*
 * The word for `key`: a return address, or an interrupted instruction's address plus one (rules hold
 * for key - 1 either way).
 */
static inline uint64_t row_lookup(const struct row_table *table, uint64_t key)
{
    /* pairs: table_put(); what a wide word stands for must be seen with it */
    uint64_t word = atomic_load_explicit(&table->words[key & table->mask], memory_order_acquire);
    uint64_t probe_bits = ROW_KEY_SHIFT - ROW_PROBE_SHIFT;
    if (__builtin_expect(word >> ROW_PROBE_SHIFT == key >> ROW_KEY_LOW_BITS << probe_bits, 1))
        return word;
    return row_find(table, key);
}

/* What the word means. */
void row_unpack(uint64_t word, struct row *row);

/* Compiles the rule for key - 1; row_find() calls it, tests may. */
void row_compile(uint64_t key, struct row *row);

/* Every entry is forgotten, or those for addresses in [low, high). Any thread, any time. */
void row_forget(void);
void row_forget_range(uint64_t low, uint64_t high);

/* Bytes mapped for tables so far. */
uint64_t row_own_bytes(void);

#endif
