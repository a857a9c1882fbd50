/*
 * facts.h - what this process is, and how large it is now.
 *
 * What it is: the header's facts read from /proc and the kernel: names once, sizes at each snapshot.
 * Owns: nothing. Context: facts_identify() at start-up and in a forked child; facts_measure() also in
 *   handlers. All by raw system calls into buffers of the caller's stack.
 * Not here: the ledger of resident pages.
 */
#ifndef HEAPDIFF_PRELOAD_FACTS_H
#define HEAPDIFF_PRELOAD_FACTS_H

#include "format/box.h"

/* Pid, start, host, executable, command line, name. `header` may be a zeroed one on the side. */
void facts_identify(struct box_header *header);

/* Pid and start of a forked child; its parent was `parent_pid`. */
void facts_fork(struct box_header *header, int parent_pid);

/* RSS, its peak, threads, and the time of that. */
void facts_measure(struct box_header *header);

/* statm: cheap. Zeroed: it cannot be told. */
struct facts_memory {
    uint64_t mapped_bytes;   /* of all mappings */
    uint64_t resident_bytes; /* exact since Linux 6.16 */
    uint64_t private_bytes;  /* of mappings that are private and writable, and stacks */
};
struct facts_memory facts_memory(void);

/* Resident bytes now, or 0. */
uint64_t facts_rss_bytes(void);

/* The working directory into `path`; "/" when it cannot be told. */
void facts_directory(char *path, unsigned room_bytes);

#endif
