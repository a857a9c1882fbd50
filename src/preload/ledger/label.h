/*
 * label.h - what a resident page is where no live block lies on it.
 *
 * What it is: mappings, our own areas, thread stacks and mmap records merged into one walk over addresses: runs
 *   of the same label, each from the most telling of these. Addresses must come in order.
 * Owns: nothing but its place in each list; what is found is added to lines (line.h).
 * Context: any.
 * Not here: blocks and ghosts (share.h), adding up (ledger.c).
 */
#ifndef HEAPDIFF_PRELOAD_LABEL_H
#define HEAPDIFF_PRELOAD_LABEL_H

#include "line.h"
#include "loader_pages.h"
#include "range_list.h"
#include "thread_stack.h"
#include "preload/ground/own.h"
#include "preload/ground/vma.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whose heap a page is in, as far as malloc_trim() is concerned. */
enum label_heap {
    LABEL_NO_HEAP,
    LABEL_MAIN_HEAP, /* [heap] */
    LABEL_ARENA      /* one of glibc's 64 MiB windows */
};

struct label {
    uint32_t line; /* of the line table; unless there is a site */
    uint32_t site; /* of the mmap record; 0: none */
    bool own;      /* no block of the program's is ever there */
    bool claimed;  /* no ghost's: whoever had blocks there has given the addresses back */
    bool spare;    /* nothing but the allocator's, or nobody's: blocks would explain it */
    enum label_heap heap;
};

/* What labels are found by. Lists are by address. */
struct label_sources {
    const struct vma_list *vmas;
    const struct own_area *own;
    size_t own_count;
    const struct thread_stack_list *stacks;
    const struct range_list *ranges;
    /* As of right before the scan: what was unmapped after it is not in the others. */
    const struct range_list *earlier;
    const struct loader_pages *loader;
    struct line_table *lines;
    uint64_t storage; /* an address in the main thread's static storage (TLS), or 0 */
    bool glibc;       /* the allocator is glibc's */
};

/* A walk. */
struct label_walk {
    struct label_sources from;
    size_t vma, own, stack, range, earlier, loader; /* the first of each that does not end below */
    size_t known;                 /* what the mapping is has been found out for this one + 1 */
    struct label anonymous, file; /* its pages by kind */
    struct label bss;
    uint64_t bss_end; /* a part of it up to here is a file's bss; 0: none */
    uint64_t arena;   /* and from here on one of glibc's heaps of threads; 0: none */
    unsigned looks;   /* that found nothing of the loader's */
};

struct label_walk label_walk(const struct label_sources *from);

/*
 * The label of [address, the result), a run of whole pages; the result is `end` at most. `file`: the pages are a file's or
 * shared memory's, not private copies. Addresses do not go down from call to call.
 */
uint64_t label_next(struct label_walk *walk, uint64_t address, uint64_t end, bool file,
                    struct label *label);

#endif
