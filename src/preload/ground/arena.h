/*
 * arena.h - the tables of the black box, as the profiled process writes them.
 *
 * What it is: the box of format/box.h mapped MAP_SHARED from a file, so that it outlives the process;
 *   where no file can be had, or no longer, private memory takes its place. File space is reserved
 *   before it is touched: a full disk is never a SIGBUS.
 * Owns: the file (by name: no descriptor stays open), the mappings, the counts.
 * Context: arena_append() under the caller's lock; reads anywhere; arena_open() at start-up.
 * Not here: what the entries mean (mapping, stack, site).
 */
#ifndef HEAPDIFF_PRELOAD_ARENA_H
#define HEAPDIFF_PRELOAD_ARENA_H

#include "format/box.h"
#include "format/box_view.h"

#include <stdbool.h>

enum {
    ARENA_PATH_BYTES_MAX = 4096,
    ARENA_LOGS = 40 /* the largest shift and BOX_CHUNKS_MAX together */
};

struct arena_table {
    uint32_t count; /* entries in use; the authority: the box's own count follows it */
    uint32_t shift;
    uint32_t entry_bytes;
    /* What count may grow to without another look: the end of a chunk that is there. */
    uint32_t room;
    unsigned char *chunks[BOX_CHUNKS_MAX];
    uintptr_t origins[ARENA_LOGS]; /* by log2 of index + 2^shift: where index 0 would be */
};

/* log2 of the entries in chunk 0: one small process fits into the first chunks (about 200 KiB). */
static const uint32_t arena_shifts[BOX_TABLES] =
    {
        [BOX_PCS] = 11,       [BOX_NODES] = 12, [BOX_SITES] = 10,  [BOX_MAPPINGS] = 7,
        [BOX_TEXT] = 14,      [BOX_LOTS] = 10,  [BOX_DELTAS] = 10, [BOX_HISTORY] = 5,
        [BOX_COLLECTIONS] = 4}; /* one page each, of programs without marks */
static const uint32_t arena_entry_bytes[BOX_TABLES] = BOX_ENTRY_BYTES;

struct arena {
    struct box_header *header;
    struct arena_table tables[BOX_TABLES];
    bool shared;                          /* the memory is a file's: a forked child shares it */
    char directory[ARENA_PATH_BYTES_MAX]; /* where the file is made */
    char path[ARENA_PATH_BYTES_MAX];      /* of the file; "": none, or deleted */
    uint64_t file_bytes;                  /* reserved so far */
    uint64_t device, inode;               /* of the file: checked before it grows */
};

extern struct arena arena __attribute__((visibility("hidden"))); /* no detour by the GOT */

/*
 * Lays the box out in `directory`/NAME.PID.heapdiff, or in private memory when `directory` is NULL.
 * False when the file cannot be made; errno value in *error.
 */
bool arena_open(const char *directory, const char *name, int pid, long *error);

/* One more is counted of what arena.header->lost says. */
static inline void arena_lost(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/*
 * Takes `entries` new neighbouring entries of `table`; the index of the first, or 0 when there is no
 * room. They are zeroed; arena_publish() makes them count. The caller holds the intern lock.
 */
uint32_t arena_append(enum box_table_id table, uint32_t entries);
void arena_publish(enum box_table_id table);

/* Room for the tables to grow in the file, as it may not grow later. The caller holds the intern lock. */
void arena_reserve_ahead(void);

/*
 * A new file, laid out alike, takes the place of the one the tables are in (private memory when
 * there can be none): for a forked child, whose parent goes on writing
 * the old one, and after arena_unlink(). Addresses stay. False when memory is out: the process must
 * not record on.
 */
bool arena_renew(const char *name, int pid);

/*
 * In a forked child, in the middle of an event that a handler has interrupted: what was shared with the
 * parent becomes the child's own copy, at the same addresses, with nothing in it that came after the
 * fork. arena_renew() follows at the child's first event. False when memory is out: still shared.
 */
bool arena_detach(void);

/* Deletes the file; the memory stays. */
void arena_unlink(void);

/* The box as it is now. */
void arena_view(struct box_view *view);

/* Bytes reserved for tables. */
uint64_t arena_own_bytes(void);

/* With a constant `table`, shift and size are constants too: this is the innermost of comparing stacks. */
static inline void *arena_entry(enum box_table_id table, uint32_t index)
{
    unsigned log = 63u - (unsigned)__builtin_clzll(index + (1ull << arena_shifts[table]));
    return (void *)(arena.tables[table].origins[log] + (uintptr_t)index * arena_entry_bytes[table]);
}

#endif
