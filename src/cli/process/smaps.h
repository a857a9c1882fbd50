/*
 * smaps.h - /proc/PID/smaps and smaps_rollup, taken apart.
 *
 * What it is: one struct for each mapping, in address order, and the sums over all.
 * Owns: the text that names point into, until smaps_free(). Context: cli; the text may be anything.
 * Not here: reading it (process_dir.h), what a mapping is for (vma_label.h).
 */
#ifndef HEAPDIFF_CLI_SMAPS_H
#define HEAPDIFF_CLI_SMAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Figures in bytes, as the kernel has them in kB. */
enum smaps_field {
    SMAPS_SIZE,
    SMAPS_RSS,
    SMAPS_PSS,
    SMAPS_SHARED_CLEAN,
    SMAPS_SHARED_DIRTY,
    SMAPS_PRIVATE_CLEAN,
    SMAPS_PRIVATE_DIRTY,
    SMAPS_REFERENCED,
    SMAPS_ANONYMOUS, /* pages of no file, or no longer: copied on write */
    SMAPS_KSM,
    SMAPS_LAZY_FREE,
    SMAPS_ANONYMOUS_HUGE, /* in huge pages, as the next two are */
    SMAPS_SHARED_MEMORY_HUGE,
    SMAPS_FILE_HUGE,
    SMAPS_SHARED_HUGETLB, /* no RSS, as the next is */
    SMAPS_PRIVATE_HUGETLB,
    SMAPS_SWAP,
    SMAPS_SWAP_PSS,
    SMAPS_LOCKED,
    SMAPS_FIELDS
};

struct smaps_vma {
    uint64_t start, end, offset, inode;
    uint32_t device_major, device_minor;
    bool read, write, execute, shared;
    bool hugetlb;
    bool no_reserve;  /* MAP_NORESERVE */
    bool no_huge;     /* MADV_NOHUGEPAGE, and MAP_STACK since Linux 6.7 */
    const char *name; /* the path, or "[stack]" and its like; "": anonymous */
    uint64_t bytes[SMAPS_FIELDS];
};

struct smaps {
    struct smaps_vma *vmas;
    size_t count, capacity;
    uint64_t total[SMAPS_FIELDS];
    char *text;
};

/*
 * Takes `text` apart, which is malloc'd, has `size_bytes` and a NUL behind them, and belongs to `smaps`
 * from now on. NULL, or a static reason: nothing to free then. An empty text is a process without memory.
 */
const char *smaps_parse(struct smaps *smaps, char *text, size_t size_bytes);

void smaps_free(struct smaps *smaps);

/* As the kernel spells it: "Private_Dirty". */
const char *smaps_field_name(enum smaps_field field);

#endif
