#include "row.h"
#include "unwind_arch.h"
#include "preload/ground/sys.h"

#include <stddef.h>
#include <string.h>

enum {
    FIRST_SLOTS =
        1 << ROW_KEY_LOW_BITS, /* 32 KiB: what small programs need, and a first-level cache */
    SLOTS_MAX = 1 << 18,       /* 2 MiB; generated code could fill any table */
    WIDE_MAX = 2048
};

struct wide {
    struct row row;
    _Atomic bool ready; /* the row is written */
};

static struct {
    _Atomic uint32_t generation; /* of row_forget() */
    _Atomic uint32_t wide_count;
    _Atomic uint64_t own_bytes;
    struct wide wide[WIDE_MAX];
} rows;

static _Atomic uint64_t first_words[FIRST_SLOTS + ROW_PROBES];
static struct row_table first_table = {.mask = FIRST_SLOTS - 1, .words = first_words};

_Atomic(struct row_table *) row_table_now = &first_table;

static bool row_same(const struct row *a, const struct row *b)
{
    return a->kind == b->kind && a->fp_rule == b->fp_rule && a->base_fp == b->base_fp &&
           a->cfa_offset == b->cfa_offset && a->cfa_add == b->cfa_add &&
           a->fp_offset == b->fp_offset && a->return_offset == b->return_offset;
}

/* Its index in the dictionary; WIDE_MAX when that is full. */
static uint32_t wide_intern(const struct row *row)
{
    uint32_t count = atomic_load_explicit(&rows.wide_count, memory_order_relaxed);
    for (uint32_t i = 0; i < count && i < WIDE_MAX; i++) {
        /* pairs: the store below */
        if (atomic_load_explicit(&rows.wide[i].ready, memory_order_acquire) &&
            row_same(&rows.wide[i].row, row))
            return i;
    }
    if (count >= WIDE_MAX)
        return WIDE_MAX;
    uint32_t at = atomic_fetch_add_explicit(&rows.wide_count, 1, memory_order_relaxed);
    if (at >= WIDE_MAX)
        return WIDE_MAX;
    rows.wide[at].row = *row;
    atomic_store_explicit(&rows.wide[at].ready, true, memory_order_release);
    return at;
}

/* Wide words of a row without operands are its kind; dictionary indices come after those. */
enum { WIDE_BASE = ROW_FULL + 1 };

static uint64_t wide_word(uint32_t index)
{
    return (uint64_t)index << ROW_WIDE_SHIFT | ROW_WIDE;
}

static uint64_t pack_wide(const struct row *row)
{
    if (row->kind != ROW_FRAME && row->kind != ROW_DEREF)
        return wide_word(row->kind);
    uint32_t at = wide_intern(row);
    return wide_word(at == WIDE_MAX ? ROW_FULL : WIDE_BASE + at);
}

/* True when the row fits into a word; *fp_slot is then its place there. */
static bool row_is_narrow(const struct row *row, uint32_t *fp_slot)
{
    *fp_slot = 0;
    if (row->kind != ROW_FRAME || row->cfa_offset < 8 || row->cfa_offset % 8 != 0 ||
        row->cfa_offset > ROW_CFA_BYTES || row->fp_rule == ROW_FP_FROM_FP)
        return false;
    if (row->fp_rule == ROW_FP_FROM_CFA) {
        if (row->fp_offset >= 0 || row->fp_offset % 8 != 0 || row->fp_offset / 8 < -ROW_FP_SLOT_MAX)
            return false;
        if (!row->base_fp && row->cfa_offset + row->fp_offset < -ARCH_RED_ZONE_BYTES)
            return false;
        *fp_slot = (uint32_t)(-row->fp_offset / 8);
    }
    return row->return_offset == -8 * (int32_t)arch_return_slot(*fp_slot);
}

static uint64_t row_pack(const struct row *row)
{
    uint32_t fp_slot;
    if (!row_is_narrow(row, &fp_slot))
        return pack_wide(row);
    return (row->base_fp ? ROW_BASE_FP : 0) | (uint64_t)row->cfa_offset |
           (uint64_t)fp_slot << ROW_FP_SHIFT;
}

void row_unpack(uint64_t word, struct row *row)
{
    uint32_t index = (word & ROW_PAYLOAD) >> ROW_WIDE_SHIFT;
    *row = (struct row){.kind = ROW_NONE};
    if ((word & ROW_WIDE) && index >= WIDE_BASE) {
        *row = rows.wide[index - WIDE_BASE].row;
    } else if (word & ROW_WIDE) {
        row->kind = (uint8_t)index;
    } else {
        uint32_t fp_slot = word >> ROW_FP_SHIFT & ROW_FP_SLOT_MAX;
        row->kind = ROW_FRAME;
        row->base_fp = (word & ROW_BASE_FP) != 0;
        row->cfa_offset = (int32_t)(word & ROW_CFA_BYTES);
        row->fp_rule = fp_slot != 0 ? ROW_FP_FROM_CFA : ROW_FP_SAME;
        row->fp_offset = -8 * (int32_t)fp_slot;
        row->return_offset = -8 * (int32_t)arch_return_slot(fp_slot);
    }
}

static uint64_t word_key(uint64_t key, uint64_t probe)
{
    return key >> ROW_KEY_LOW_BITS << ROW_KEY_SHIFT | probe << ROW_PROBE_SHIFT;
}

static uint64_t word_key_of(uint64_t word)
{
    return word >> ROW_PROBE_SHIFT << ROW_PROBE_SHIFT;
}

/* Puts `payload` into the first free slot of the key's; false when all are taken. */
static bool table_put(const struct row_table *table, uint64_t key, uint64_t payload)
{
    for (uint64_t probe = 0; probe < ROW_PROBES; probe++) {
        _Atomic uint64_t *slot = &table->words[(key & table->mask) + probe];
        uint64_t word = word_key(key, probe) | payload;
        uint64_t seen = atomic_load_explicit(slot, memory_order_relaxed);
        /* pairs: row_lookup(), row_find() */
        if (seen == 0 && atomic_compare_exchange_strong_explicit(
                             slot, &seen, word, memory_order_release, memory_order_relaxed))
            return true;
        if (word_key_of(seen) == word_key(key, probe))
            return true;
    }
    return false;
}

static void table_clear(struct row_table *table)
{
    if (atomic_load_explicit(&table->used, memory_order_relaxed) == 0)
        return; /* at a program's start: its pages need not be there */
    for (uint64_t i = 0; i <= table->mask + ROW_PROBES; i++)
        atomic_store_explicit(&table->words[i], 0, memory_order_relaxed);
    atomic_store_explicit(&table->used, 0, memory_order_relaxed);
}

static struct row_table *table_create(uint64_t slots)
{
    size_t size_bytes = sizeof(struct row_table) + (slots + ROW_PROBES) * sizeof(uint64_t);
    struct row_table *table = sys_pages_present(size_bytes);
    if (table == NULL)
        return NULL;
    table->mask = slots - 1;
    table->words = (_Atomic uint64_t *)(table + 1);
    atomic_fetch_add_explicit(&rows.own_bytes, size_bytes, memory_order_relaxed);
    return table;
}

/* The key whose word stands in slot `at`. */
static uint64_t table_key(uint64_t at, uint64_t word)
{
    uint64_t probe = word >> ROW_PROBE_SHIFT & (ROW_PROBES - 1);
    uint64_t low = (at - probe) & ((1 << ROW_KEY_LOW_BITS) - 1);
    return word >> ROW_KEY_SHIFT << ROW_KEY_LOW_BITS | low;
}

static void table_copy(const struct row_table *to, const struct row_table *from)
{
    for (uint64_t i = 0; i < from->mask + 1 + ROW_PROBES; i++) {
        uint64_t word = atomic_load_explicit(&from->words[i], memory_order_acquire);
        if (word != 0)
            table_put(to, table_key(i, word), word & ROW_PAYLOAD);
    }
}

/* Puts a table of twice the size into force, or empties one of the largest. */
static void table_grow(struct row_table *table)
{
    if (table->mask + 1 >= SLOTS_MAX) {
        table_clear(table);
        return;
    }
    uint32_t generation = atomic_load(&rows.generation);
    struct row_table *larger = table_create(2 * (table->mask + 1));
    if (larger == NULL)
        return;
    table_copy(larger, table);
    atomic_store_explicit(&larger->used, atomic_load_explicit(&table->used, memory_order_relaxed),
                          memory_order_relaxed);
    struct row_table *expected = table;
    /* pairs: row_table(), row_forget() */
    if (!atomic_compare_exchange_strong(&row_table_now, &expected, larger))
        sys_pages_free(larger,
                       sizeof(*larger) + (larger->mask + 1 + ROW_PROBES) * sizeof(uint64_t));
    else if (atomic_load(&rows.generation) != generation)
        table_clear(larger);
}

static void table_insert(struct row_table *table, uint64_t key, uint64_t payload)
{
    if (key >> ROW_KEY_BITS != 0)
        return;
    /* First: table_clear() believes it. */
    uint64_t used = atomic_fetch_add_explicit(&table->used, 1, memory_order_relaxed);
    if (!table_put(table, key, payload) || used > table->mask / 4)
        table_grow(table);
}

uint64_t row_find(const struct row_table *table, uint64_t key)
{
    for (uint64_t probe = 0; probe < ROW_PROBES; probe++) {
        /* pairs: table_put() */
        uint64_t word =
            atomic_load_explicit(&table->words[(key & table->mask) + probe], memory_order_acquire);
        if (word_key_of(word) == word_key(key, probe) && key >> ROW_KEY_BITS == 0)
            return word;
    }
    struct row row;
    row_compile(key, &row);
    uint64_t payload = row_pack(&row);
    table_insert((struct row_table *)row_table(), key, payload);
    return payload;
}

void row_forget(void)
{
    atomic_fetch_add(&rows.generation, 1);
    struct row_table *table = (struct row_table *)row_table();
    for (;;) {
        table_clear(table);
        struct row_table *now = (struct row_table *)row_table();
        if (now == table)
            return;
        table = now;
    }
}

static void table_clear_range(struct row_table *table, uint64_t low, uint64_t high)
{
    for (uint64_t i = 0; i <= table->mask + ROW_PROBES; i++) {
        uint64_t word = atomic_load_explicit(&table->words[i], memory_order_relaxed);
        if (word != 0 && table_key(i, word) - 1 - low < high - low)
            atomic_compare_exchange_strong_explicit(&table->words[i], &word, 0,
                                                    memory_order_relaxed, memory_order_relaxed);
    }
}

void row_forget_range(uint64_t low, uint64_t high)
{
    atomic_fetch_add(&rows.generation, 1);
    struct row_table *table = (struct row_table *)row_table();
    for (;;) {
        table_clear_range(table, low, high);
        struct row_table *now = (struct row_table *)row_table();
        if (now == table)
            return;
        table = now;
    }
}

uint64_t row_own_bytes(void)
{
    return sizeof(rows) + sizeof(first_words) + atomic_load(&rows.own_bytes);
}
