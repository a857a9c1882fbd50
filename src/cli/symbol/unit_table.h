/*
 * unit_table.h - functions, inlined calls and source lines of one module's DWARF.
 *
 * What it is: compilation units by address (from the units themselves: not all compilers write
 *   .debug_aranges), each read once, when its first address is asked for.
 * Owns: the indexes; names and paths are the module's. Context: cli; the DWARF may be damaged: work
 *   is bounded by its size. Not here: ELF symbols (symbol_table.h), demangling.
 */
#ifndef HEAPDIFF_CLI_UNIT_TABLE_H
#define HEAPDIFF_CLI_UNIT_TABLE_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unit_table;

enum { FRAMES_MAX = 128 /* inlined calls at one address; rustc gets to 40 */ };

/* One function at an address; the outermost is the one that was compiled. */
struct frame {
    const char *name;         /* as the linker knows it, else as the source has it; NULL: unknown */
    const char *readable;     /* name with its namespaces and classes; NULL: demangling tells */
    const char *file;         /* NULL: unknown */
    const char *directory;    /* what a relative file is relative to; NULL: unknown */
    int64_t line, start_line; /* 0: unknown */
    bool linkage;             /* name is a linker's name */
};

/* `dwarf` may be NULL: an empty table. */
struct unit_table *unit_table_new(Dwarf *dwarf);
void unit_table_free(struct unit_table *table);

/*
 * Functions around `address` (as in the DWARF), innermost first, into frames[FRAMES_MAX]; 0 when no
 * unit covers it. *start is the address of the outermost function's first byte, 0 when unknown.
 */
size_t unit_table_frames(struct unit_table *table, uint64_t address, struct frame *frames,
                         uint64_t *start);

#endif
