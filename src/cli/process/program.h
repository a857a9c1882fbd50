/*
 * program.h - whether a command can be recorded by a preloaded library at all.
 *
 * Owns: nothing. Context: cli. Not here: starting it (run.c).
 */
#ifndef HEAPDIFF_CLI_PROGRAM_H
#define HEAPDIFF_CLI_PROGRAM_H

#include <stdbool.h>

enum program_kind {
    PROGRAM_DYNAMIC,   /* the loader will see LD_PRELOAD */
    PROGRAM_STATIC,    /* there is no loader */
    PROGRAM_FOREIGN,   /* for another machine or word size: the library does not fit it */
    PROGRAM_ELEVATED,  /* set-user-id and the like: the loader does not listen to us */
    PROGRAM_SANITIZED, /* has an allocator that checks what it gave, and may not be stood before */
    PROGRAM_SCRIPT_LOST, /* a script whose interpreter is not there */
    PROGRAM_UNREADABLE,  /* may be anything */
    PROGRAM_KINDS
};

/* The file that `command` means: itself when it has a slash, else found in $PATH. malloc'd; NULL
   and errno when there is none. */
char *program_find(const char *command);

/* What the file is; a script is what its interpreter is. Text without "#!" counts as a script of
   /bin/sh, as execvp() has it. */
enum program_kind program_check_file(const char *path);

/* Why a kind cannot be recorded; NULL for those that can, as far as one sees. */
const char *program_refusal(enum program_kind kind);

#endif
