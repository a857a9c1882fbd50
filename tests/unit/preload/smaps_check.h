/*
 * smaps_check.h - a scan's regions against the kernel's smaps, mapping by mapping.
 *
 * Owns: room for the text of smaps, resident from the first call on. Context: unit tests.
 */
#ifndef HEAPDIFF_TEST_SMAPS_CHECK_H
#define HEAPDIFF_TEST_SMAPS_CHECK_H

#include "preload/ledger/residency.h"

#include <stdbool.h>

/* Before memory is measured. */
void smaps_check_prepare(void);

/* Scans, lets the kernel add up, and reads smaps; changes no resident page in between. */
enum residency_result smaps_check_scan(struct residency *residency);

/* Whether each mapping's regions add up to its Rss, and all to smaps_rollup's; says on stderr which do not. */
bool smaps_check_agrees(const struct residency *residency);

/* Bytes of the regions in [start, start + size) whose flags under `mask` are `flags`. */
uint64_t smaps_check_bytes(const struct residency *residency, const void *start,
                           uint64_t size_bytes, uint32_t mask, uint32_t flags);

/* A number of smaps for the mapping around `address`: "Rss", "Anonymous" ..., in bytes. */
uint64_t smaps_check_field(const void *address, const char *key);

#endif
