/*
 * go_symbol.h - functions and source lines by Go's own tables.
 *
 * What it is: pclntab, which every Go program has, whether or not it has DWARF: an entry of a stack that Go has taken
 *   stands for one function, inlined ones too.
 * Owns: nothing; texts live as long as the binary. Context: cli; the tables may be damaged.
 * Not here: other languages (image.h).
 */
#ifndef HEAPDIFF_CLI_GO_SYMBOL_H
#define HEAPDIFF_CLI_GO_SYMBOL_H

#include "go_binary.h"

struct go_symbols {
    const struct go_binary *binary;
    const unsigned char *table; /* pclntab */
    size_t size_bytes;
    uint64_t function_count, text_start;          /* the latter as in the file */
    uint64_t names, units, files, pcs, functions; /* offsets in `table` */
    unsigned quantum;                             /* bytes of the shortest instruction */
};

struct go_frame {
    const char *function, *file; /* "" : not known */
    int64_t line, start_line;    /* 0: not known */
};

/* NULL, or why the tables cannot be read: static. */
const char *go_symbols_open(struct go_symbols *symbols, const struct go_binary *binary);

/* Of the process's address `pc`, as it stands in a stack less 1; false: no code of Go's. */
bool go_symbols_frame(const struct go_symbols *symbols, uint64_t pc, struct go_frame *frame);

#endif
