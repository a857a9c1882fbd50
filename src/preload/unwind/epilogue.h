/*
 * epilogue.h - how a frame without unwind rules ends, by what its code will do.
 *
 * What it is: follows the code from a return address to the function's return and counts what it takes
 *   off the stack: musl and what musl-gcc links come without rules that could be looked up.
 * Owns: nothing.
 * Context: hooks and signal handlers; once for each address (row.h keeps the answer).
 * Not here: rules from .eh_frame (row_compile.c). Variants: epilogue_x86_64.c, epilogue_none.c for
 *   everything else, chosen by the build.
 */
#ifndef HEAPDIFF_PRELOAD_EPILOGUE_H
#define HEAPDIFF_PRELOAD_EPILOGUE_H

#include "row.h"

/* Fills in the row of `key` (see row_lookup()): ROW_FRAME, or ROW_END when the code only leads to the end
   of the thread. False when the code does not tell. */
bool epilogue_row(uint64_t key, struct row *row);

#endif
