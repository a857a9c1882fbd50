/*
 * cut.h - what all threads have counted, as of one moment.
 *
 * What it is: the gate is closed, the counters are copied, the gate is opened; the program's malloc
 *   waits for no more than the copy.
 * Owns: a reserve, for one cut at a time; a cut's memory is the cut's, until cut_free().
 * Context: as gate.h: with all signals blocked.
 * Not here: adding up (format/box_cut.h), writing (snapshot.c).
 */
#ifndef HEAPDIFF_PRELOAD_CUT_H
#define HEAPDIFF_PRELOAD_CUT_H

#include "format/box_view.h"

#include <stdbool.h>
#include <stddef.h>

struct cut {
    struct box_view view; /* reads the copy; what is only added to is read in place */
    void *room;
    size_t room_bytes;
};

/* What else belongs to the moment. */
struct cut_moment {
    void (*prepare)(void *context); /* with the gate open, right before it is closed */
    bool (*take)(void *context);    /* with the gate closed; false: it lacked room */
    bool (*again)(void *context);   /* makes more, with the gate open; false: there is none */
    void (*taken)(void *context);   /* the gate is open again, nothing has been done yet */
    void *context;
};

/* Reserves what a small cut needs when memory is out. */
void cut_init(void);

/* False when memory is out. `moment` may be NULL. */
bool cut_take(struct cut *cut, const struct cut_moment *moment);
void cut_free(struct cut *cut);

#endif
