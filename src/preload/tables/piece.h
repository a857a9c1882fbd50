/*
 * piece.h - pieces of mappings, in trees ordered by address.
 *
 * What it is: treaps of disjoint intervals. A piece names its object (what one mmap made), which
 *   counts its pieces. Both are cells of one pool, named by index; 0 is none. Nothing recurses:
 *   hooks run on small stacks too.
 * Owns: the pool. It grows by chunks and never shrinks; freed cells wait in a list.
 * Context: hooks, under range.c's lock, but for piece_own_bytes().
 * Not here: what a cut or a move means, and who is told (range.c).
 */
#ifndef HEAPDIFF_PRELOAD_PIECE_H
#define HEAPDIFF_PRELOAD_PIECE_H

#include <stdbool.h>
#include <stdint.h>

struct piece {
    uintptr_t start;
    uintptr_t end; /* one past the last byte; > start */
    uint32_t left;
    uint32_t right;
    uint32_t object;
    uint32_t priority; /* not below its children's */
    uint32_t epoch;    /* collections when it was made */
};

struct piece_object {
    uint32_t site;
    uint32_t pieces; /* that name it */
    uint32_t walk;   /* the last range_each() that came by */
};

/* Valid until the cell is freed: cells do not move. */
struct piece *piece_at(uint32_t index);
struct piece_object *piece_object_at(uint32_t index);

/* An object without pieces; 0 when there is no memory. */
uint32_t piece_object_new(uint32_t site);
/* Only for an object that never had a piece: the others end with their last one. */
void piece_object_free(uint32_t index);

/* Collections so far: what pieces are made in from now on. */
void piece_set_epoch(uint32_t epoch);

/* A piece of `object`, in no tree yet; 0 when there is no memory. */
uint32_t piece_new(uintptr_t start, uintptr_t end, uint32_t object);
/* Frees a piece that is in no tree; true when its object ended with it. */
bool piece_free(uint32_t index);
uint32_t piece_site(const struct piece *piece);

/* Divides a tree: pieces that start below `key`, and the others. */
void pieces_split(uint32_t tree, uintptr_t key, uint32_t *below, uint32_t *above);
/* One tree of two; every piece of `below` starts before every piece of `above`. */
uint32_t pieces_merge(uint32_t below, uint32_t above);
void pieces_insert(uint32_t *tree, uint32_t index);
/* Takes the piece with the lowest start out of the tree; 0 when it is empty. */
uint32_t pieces_pop(uint32_t *tree);

/* The last piece that starts below `key`, the first that starts at `key` or later, the one that
   holds `address`; or 0. */
uint32_t pieces_before(uint32_t tree, uintptr_t key);
uint32_t pieces_from(uint32_t tree, uintptr_t key);
uint32_t pieces_at(uint32_t tree, uintptr_t address);

/* Forgets all cells: every index is void. */
void piece_reset(void);

/* Bytes of the pool; any thread, any time. */
uint64_t piece_own_bytes(void);

#endif
