/*
 * tracker.h - one event of the program, recorded.
 *
 * What it is: what a hook calls after an allocation exists, or before a release is asked for:
 *   captures the stack, interns the site, counts, and notes the block.
 * Owns: nothing; it ties unwind, site and block together.
 * Context: hooks between guard_enter() and guard_leave(); the _nested calls also outside of that.
 * Not here: mappings (tracker_range.h), calling the real functions (hooks_*.c), deciding whether to record (guard.h).
 */
#ifndef HEAPDIFF_PRELOAD_TRACKER_H
#define HEAPDIFF_PRELOAD_TRACKER_H

#include "preload/ground/guard.h"
#include "preload/tables/block.h"
#include "preload/tables/memo.h"
#include "preload/unwind/unwind.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Says what threads do at their first event, and when libraries have gone. Once, at start-up. */
void tracker_init(void);

/*
 * The allocator returned `address` for a request of `size_bytes`; NULL is legal: nothing happened.
 * Here and below, `own` is what guard_enter() gave.
 */
void tracker_alloc(struct guard_thread *own, void *address, size_t size_bytes,
                   const struct unwind_start *start);

/* The part of it for which the guard is held and the stack is known. */
void tracker_block(struct guard_thread *own, struct memo_leaf *leaf, void *address,
                   size_t size_bytes);

/* `address` is about to be freed. */
void tracker_free(struct guard_thread *own, void *address);

/* The same for many at once; bytes that were requested for them. */
uint64_t tracker_free_all(struct guard_thread *own, const uintptr_t *addresses, unsigned count);

/*
 * The same for a thread that is inside already, or not recorded any more: the record goes, as the
 * address may soon be somebody else's. Takes no lock.
 */
void tracker_free_nested(void *address);

/*
 * A realloc of `address` is about to be tried: its record is taken out, but not counted. Afterwards
 * either tracker_freed(), it is gone, or tracker_restore(), it is still there. `own` may be NULL: nested.
 */
bool tracker_take(struct guard_thread *own, void *address, struct block *block);
void tracker_freed(struct guard_thread *own, const struct block *block);
void tracker_restore(void *address, const struct block *block);

/*
 * After the call, before one of these two: a handler in between may have forked, and this may be the
 * child, whose counters began without the record. `inherited` is guard_process's from before
 * tracker_take(). `own` as above; or NULL: outside.
 */
void tracker_adopt(struct guard_thread *own, uint32_t inherited, const struct block *block);

/* An event of so many bytes was recorded: whether to look if memory has grown is asked now and then. */
void tracker_pace(struct guard_thread *own, size_t bytes);

/* An allocation or a mapping, for `caller`, that could not be recorded as the thread was inside heapdiff
   or inside a call that is being recorded. */
void tracker_missed(const void *caller);

/*
 * In a forked child, whose event a handler has interrupted: arena_detach(). What threads have counted is the
 * parent's as of now, perhaps of lots made since the fork; it goes, and tracker_inherit() follows.
 */
bool tracker_detach(void);

/* In a forked child: counters start from what is live in its copy of the tables. */
void tracker_inherit(void);

#endif
