/*
 * box_stack.h - the stacks of a black box's sites as pprof has them: packed lists of location ids.
 *
 * What it is: one stack at a time, leaf first. Sites that were met one after the other mostly share
 *   their callers; what the last stack has in common with the next is neither walked nor encoded again.
 * Owns: nothing. Context: any; no allocation, under 3 KiB.
 * Not here: locations themselves (box_profile.h), capturing stacks (preload/tables/stack.h).
 */
#ifndef HEAPDIFF_FORMAT_BOX_STACK_H
#define HEAPDIFF_FORMAT_BOX_STACK_H

#include "box_view.h"

enum { BOX_STACK_ID_BYTES_MAX = 5 /* a varint of 32 bits */ };

/* Arrays are filled from their ends, where the root is: a stack changes at its leaf. */
struct box_stack {
    const struct box_view *view;
    uint64_t location_count;       /* pcs have the ids 1 .. location_count */
    uint32_t lost_location;        /* id of frames that cannot be known; 0: there is none yet */
    uint32_t first;                /* frames are at first .. BOX_DEPTH_MAX - 1 */
    bool whole;                    /* up to its root, not cut at BOX_DEPTH_MAX */
    uint32_t nodes[BOX_DEPTH_MAX]; /* of BOX_NODES */
    /* Where in `bytes` each frame's id begins; the next one's ends it. */
    uint16_t starts[BOX_DEPTH_MAX];
    unsigned char bytes[8 + BOX_DEPTH_MAX * BOX_STACK_ID_BYTES_MAX];
};

/* No stack yet; location ids are indexes of BOX_PCS up to `location_count`. */
void box_stack_open(struct box_stack *stack, const struct box_view *view, uint64_t location_count);

/*
 * Makes it the stack of `node`, cut at the root where it is deeper than BOX_DEPTH_MAX; a damaged trie
 * ends there, whatever it points to. False when a frame cannot be known and there is no lost_location:
 * set it and call again.
 */
bool box_stack_take(struct box_stack *stack, uint32_t node);

/* The ids of the stack taken, each a varint. */
const unsigned char *box_stack_bytes(const struct box_stack *stack, size_t *size_bytes);

#endif
