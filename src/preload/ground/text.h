/*
 * text.h - text put together without stdio.
 *
 * What it is: a cursor over the caller's buffer; what does not fit is cut, and `cut` says so. The
 *   buffer is always NUL-terminated.
 * Owns: nothing. Context: anywhere.
 * Not here: writing it out (sys.h).
 */
#ifndef HEAPDIFF_PRELOAD_TEXT_H
#define HEAPDIFF_PRELOAD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    char *start;
    size_t room_bytes; /* the NUL included; at least 1 */
    size_t length;
    bool cut;
};

struct text text_on(char *buffer, size_t room_bytes);
void text_put(struct text *text, const char *string);
void text_put_bytes(struct text *text, const char *bytes, size_t count);
void text_put_number(struct text *text, uint64_t number);

/* Reads decimal digits at *at and moves *at past them. False when there are none or too many. */
bool text_read_number(const char **at, uint64_t *number);

/* The value of line "KEY: VALUE kB" (or any number after KEY) in `haystack`; 0 when absent. */
uint64_t text_find_number(const char *haystack, const char *key);

static inline bool text_begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The last component of `path`. */
const char *text_base_name(const char *path);

#endif
