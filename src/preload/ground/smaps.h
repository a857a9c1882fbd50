/*
 * smaps.h - the kernel's own sums: resident, private, swapped ... of each mapping, or of all.
 *
 * What it is: /proc/self/smaps and smaps_rollup taken apart, one mapping after the other.
 * Owns: nothing; the buffer is the caller's. Context: anywhere.
 * Not here: which of a mapping's pages it is (residency.h).
 */
#ifndef HEAPDIFF_PRELOAD_SMAPS_H
#define HEAPDIFF_PRELOAD_SMAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum smaps_field {
    SMAPS_RSS,
    SMAPS_PSS,
    SMAPS_PRIVATE_CLEAN,
    SMAPS_PRIVATE_DIRTY,
    SMAPS_ANONYMOUS,
    SMAPS_LAZY_FREE,
    SMAPS_ANON_HUGE,
    SMAPS_SHMEM_HUGE,
    SMAPS_FILE_HUGE,
    SMAPS_SHARED_HUGETLB,
    SMAPS_PRIVATE_HUGETLB,
    SMAPS_SWAP,
    SMAPS_SWAP_PSS,
    SMAPS_FIELDS
};

struct smaps_entry {
    uint64_t start, end;
    uint64_t bytes[SMAPS_FIELDS];
    bool hugetlb; /* by VmFlags, which smaps_rollup has not */
};

enum smaps_result {
    SMAPS_DONE,
    SMAPS_STOPPED,   /* by visit */
    SMAPS_UNREADABLE /* before the first entry, or in the middle */
};

typedef bool (*smaps_visit)(const struct smaps_entry *entry, void *context);

struct smaps_buffer {
    char *bytes;
    size_t room_bytes;
};

/* Calls visit for each mapping in `path`, by address, until it returns false. */
enum smaps_result smaps_each(const char *path, const struct smaps_buffer *buffer, smaps_visit visit,
                             void *context);

#endif
