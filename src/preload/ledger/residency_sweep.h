/*
 * residency_sweep.h - resident pages of the whole address space at once, where the kernel tells zero pages.
 *
 * What it is: the PAGEMAP_SCAN ioctl over all mappings, asked as little as each of them needs.
 * Owns: nothing. Context: as residency_scan().
 * Not here: what is done where that is not to be had (residency_smaps.h).
 */
#ifndef HEAPDIFF_PRELOAD_RESIDENCY_SWEEP_H
#define HEAPDIFF_PRELOAD_RESIDENCY_SWEEP_H

#include "residency_scratch.h"

/*
 * From 0 to the end of the mapping `last`, by as few walks as there are neighbours of different kinds. What has been
 * mapped since maps was read is not left out. False: the kernel gave an error.
 */
bool residency_sweep(struct residency *residency, size_t last);

#endif
