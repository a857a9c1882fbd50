/*
 * ledger.h - every resident byte of the process, charged to whom it belongs.
 *
 * What it is: resident pages, mappings, blocks, ghosts, ranges and threads walked over together, in address
 *   order, once: each page gets a label, each byte of it a site or a line. Whatever is missed or has changed
 *   meanwhile, the sum is that of the pages.
 * Owns: the memory of one run.
 * Context: ledger_open(), ledger_prepare(), ledger_enlarge(), ledger_settle() and ledger_close() as snapshot.h says, with the gate
 *   open; ledger_scan() with the gate closed, and ledger_measure() where it may.
 * Not here: reading the kernel's tables (residency.h, vma.h), writing it down (format/box_profile.h).
 */
#ifndef HEAPDIFF_PRELOAD_LEDGER_H
#define HEAPDIFF_PRELOAD_LEDGER_H

#include "format/box_view.h"
#include "format/ledger.h"

#include <stdbool.h>

struct ledger_run;

/* Makes room for all that ledger_scan() will need. NULL: memory is out. `threads`: how many there are, or 0. */
struct ledger_run *ledger_open(uint32_t threads);

/* Right before the gate is closed, when all room has been made. */
void ledger_prepare(struct ledger_run *run);

/* The moment: which pages are resident. False: it was too short of room; ledger_enlarge(), and again. */
bool ledger_scan(struct ledger_run *run);
bool ledger_enlarge(struct ledger_run *run);

/*
 * What is mapped, as soon after the scan as can be: what was mapped just before it is in the list. Waits for the range
 * lock: not while other threads stand still, one of which may have it.
 */
void ledger_list(struct ledger_run *run);

/* The kernel's own figure, right after the scan: before anything else of ours touches memory. Of a process with one thread
   both are as of one moment. */
void ledger_measure(struct ledger_run *run);

/* From the scan to the measuring, all other threads stood still. */
void ledger_stood_still(struct ledger_run *run);

/* Labels all that was found; sites by their numbers in `view`. NULL: nothing could be found out. The ledger is
   valid until ledger_close(). */
const struct ledger *ledger_settle(struct ledger_run *run, const struct box_view *view);

/* NULL is legal. */
void ledger_close(struct ledger_run *run);

#endif
