/*
 * block_birth.h - in which epoch small blocks were born.
 *
 * What it is: for each page of cells one epoch, that of all its blocks; or, once a block of another one comes, a byte
 *   for each cell. Only births write there: what is freed leaves its own behind. A heap that has grown
 *   since the last collection, or a program without any, has none of these bytes.
 * Owns: the bytes, which are the plate's for ever.
 * Context: hooks; the redating also beside them.
 * Not here: the usual birth (block_set_birth()), those of large blocks (block.c).
 */
#ifndef HEAPDIFF_PRELOAD_BLOCK_BIRTH_H
#define HEAPDIFF_PRELOAD_BLOCK_BIRTH_H

#include "block.h"

/* There are no cells here yet: all that come are of this epoch, until another says else. `pages` is the cells'; NULL,
   and false: there is no memory. */
bool block_births_begin(void **pages, uint32_t epoch);

/* Sees to it that block_set_birth() succeeds; false: there is no memory. */
bool block_births(struct block_place place, uint32_t epoch);

/* That of the block in this cell. */
uint32_t block_birth(struct block_place place);

/* A bit for each record of an epoch that is not yet long ago in `epoch`, and for 0. */
uint32_t block_births_kept(uint64_t epoch);

/* Makes 0 of all but those; `births` is where they are found. Other threads may go on. */
void block_births_redate(void **births, uint32_t kept);

#endif
