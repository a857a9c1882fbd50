/*
 * go_binary.h - the program file of a Go process.
 *
 * What it is: its version by its build information, its symbols, where it was loaded, and its bytes by address.
 * Owns: the open file, until go_binary_close(). Context: cli; the file may be anything.
 * Not here: functions (go_symbol.h), memory (go_heap.h).
 *
 * Addresses in the file are the linker's; with `bias` added they are the process's.
 */
#ifndef HEAPDIFF_CLI_GO_BINARY_H
#define HEAPDIFF_CLI_GO_BINARY_H

#include "go_layout.h"

#include "cli/process/process_dir.h"

#include <stdbool.h>

/* Variables of Go's runtime, as the linker calls them. */
enum go_variable {
    GO_BUCKETS,
    GO_CYCLE,
    GO_STATS,
    GO_CONTROLLER,
    GO_RATE,
    GO_WORK,
    GO_SWEEP,
    GO_TEXT,
    GO_FUNCTION_DATA,
    GO_VARIABLES
};

struct go_binary {
    int fd;
    struct Elf *elf;
    const unsigned char *bytes; /* the whole file */
    size_t size_bytes;
    char version[64]; /* "go1.19.8" */
    const struct go_layout *layout;
    uint64_t addresses[GO_VARIABLES];
    uint64_t bias;
};

/* NULL, or why it cannot be read: text that free() takes. Nothing is open then. */
char *go_binary_open(struct go_binary *binary, const struct process_dir *dir);
void go_binary_close(struct go_binary *binary);

/* `count` bytes of the file that are loaded at `address`; NULL when there are fewer. */
const unsigned char *go_binary_at(const struct go_binary *binary, uint64_t address, size_t count);

/* The section `name`'s bytes; NULL when there is none. */
const unsigned char *go_binary_section(const struct go_binary *binary, const char *name,
                                       size_t *size_bytes);

#endif
