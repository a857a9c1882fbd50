/*
 * arena_nodes.h - an arena in the scratch directory, with nodes that can be told from each other.
 *
 * Owns: nothing. Context: unit tests; a failure ends the test (arena_nodes_add() only says 0).
 * Not here: the directory (scratch.h).
 */
#ifndef HEAPDIFF_TEST_ARENA_NODES_H
#define HEAPDIFF_TEST_ARENA_NODES_H

#include "format/box_view.h"

#include <stdbool.h>

/* Opens app.PID.heapdiff; the box is readable. */
void arena_nodes_open(int pid);

/* Appends a node with these numbers; its index. */
uint32_t arena_nodes_add(uint32_t parent, uint32_t pc);

/* Whether the node at `index` has them. */
bool arena_nodes_have(const struct box_view *view, uint32_t index, uint32_t parent, uint32_t pc);

/* The file of the scratch directory as any other process reads it; its mapping stays. */
void arena_nodes_view(struct box_view *view, const char *name);

#endif
