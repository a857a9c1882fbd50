/*
 * beside.h - sizes that are no part of RSS, and are shown beside it.
 *
 * What it is: swap, page tables, hugetlb, PSS, USS, memory that is free lazily, huge pages; use and limit of
 *   the control group that is nearest to its limit (versions 1 and 2).
 * Owns: nothing. Context: as facts_measure(): handlers too; raw calls, about 6 KiB of stack.
 * Not here: what adds up to RSS (the ledger).
 */
#ifndef HEAPDIFF_PRELOAD_BESIDE_H
#define HEAPDIFF_PRELOAD_BESIDE_H

#include "residency.h"
#include "format/ledger.h"

/* Fills in the ledger's fields "beside the sum"; what cannot be told stays as it was. Call it with the gate
   open: it reads a dozen small files. */
void beside_measure(const struct residency *residency, struct ledger *ledger);

#endif
