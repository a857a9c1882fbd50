/*
 * residency_smaps.h - resident pages of one mapping after the other, each with the kernel's sum.
 *
 * What it is: smaps, and for each of its mappings the entries of the page table; where there is none, or it would take
 *   too long, a guess which of a mapping's pages are the resident ones.
 * Owns: nothing. Context: as residency_scan().
 * Not here: the one walk over everything (residency_sweep.h).
 */
#ifndef HEAPDIFF_PRELOAD_RESIDENCY_SMAPS_H
#define HEAPDIFF_PRELOAD_RESIDENCY_SMAPS_H

#include "residency_scratch.h"

/* By the page table, which is open, or by guessing alone. False: smaps cannot be read, or the page table. */
bool residency_smaps_walk(struct residency *residency);
bool residency_smaps_guess(struct residency *residency);

/* Runs the code of both on one mapping, for little time; without a page table that of guessing. */
void residency_smaps_rehearse(struct residency *residency, bool table);

#endif
