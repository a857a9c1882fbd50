/*
 * fake_hooks.h - hooks whose allocator does nothing: events at addresses where nothing is.
 *
 * Owns: nothing. Context: unit tests, built with frame pointers like the real hooks; a failure ends
 *   the test.
 * Not here: the code under test (tracker.h).
 */
#ifndef HEAPDIFF_TEST_FAKE_HOOKS_H
#define HEAPDIFF_TEST_FAKE_HOOKS_H

#include "preload/views/tracker.h"
#include "preload/views/tracker_range.h"

#include "format/box.h"

/* Groups of tests begin, and each test. A private arena; nothing lost; no guard held. */
int fake_hooks_start(void **state);
int fake_hooks_reset(void **state);

/* The hooks. Those that record return the address they return to: their caller's stack's leaf. */
uint64_t hook_alloc(void *address, size_t size_bytes);
uint64_t hook_map(void *start, size_t bytes);
void hook_free(void *address);
void hook_unmap(void *start, size_t bytes);
bool hook_remap(const struct tracker_move *move);

/* GUARD_WANT_* bits that were served since the test began. */
extern uint32_t hook_served;

/* `count` blocks of size_bytes, size_bytes + 1, ..., 64 bytes apart, all by one site. */
uint64_t hook_alloc_some(char *address, int count, size_t size_bytes);

/* Sites: the last one made, and the only one of this kind whose stack ends at `leaf`. */
const struct box_site *site_at(uint32_t index);
uint64_t site_leaf(uint32_t index);
uint32_t site_newest(void);
uint32_t site_by(uint64_t leaf, enum box_kind kind);

/* What a site counted, this thread's share included. */
struct counts {
    uint64_t alloc_objects, alloc_bytes, free_objects, free_bytes;
};

void assert_counts(uint32_t site, const struct counts *want);
void assert_nothing_lost(void);

#endif
