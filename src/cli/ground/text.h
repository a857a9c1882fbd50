/*
 * text.h - what is asked of names everywhere.
 *
 * What it is: two questions about strings that libc has no function for.
 * Owns: nothing. Context: cli.
 * Not here: what of a name may be shown (character.h).
 */
#ifndef HEAPDIFF_CLI_TEXT_H
#define HEAPDIFF_CLI_TEXT_H

#include <stdbool.h>
#include <string.h>

static inline bool text_begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The last component of `path`. */
static inline const char *text_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

#endif
