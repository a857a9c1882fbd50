/*
 * binary.h - what a mapped ELF file says of the memory beside it.
 *
 * Owns: nothing. Context: cli; the file may be anything, or be gone. Not here: symbols (image.h).
 */
#ifndef HEAPDIFF_CLI_BINARY_H
#define HEAPDIFF_CLI_BINARY_H

#include "process_dir.h"
#include "smaps.h"

/* Where the bss ends that begins behind `data`, a writable mapping of a file; 0: there is none. */
uint64_t binary_bss_end(const struct process_dir *dir, const struct smaps_vma *data);

/* Where the process's Go runtime puts its heap; 0: its program is none of Go's. */
uint64_t binary_go_heap(const struct process_dir *dir);

#endif
