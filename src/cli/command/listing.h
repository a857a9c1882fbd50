/*
 * listing.h - the black boxes that lie about, as a table.
 *
 * Owns: nothing. Context: cli. Not here: what is done with them (recover.h).
 */
#ifndef HEAPDIFF_CLI_LISTING_H
#define HEAPDIFF_CLI_LISTING_H

#include <stdbool.h>

/* Prints program, pid, start, size, state and path of each on stdout, oldest first, and how to be rid
   of those of ended processes on stderr. False, after one line, when that failed. */
bool listing_print(void);

#endif
