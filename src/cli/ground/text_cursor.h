/*
 * text_cursor.h - text that need not end in NUL, taken apart from its front.
 *
 * Owns: nothing. Context: cli; the text may be anything. Not here: what it means.
 */
#ifndef HEAPDIFF_CLI_TEXT_CURSOR_H
#define HEAPDIFF_CLI_TEXT_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text_cursor {
    const char *at;
    size_t left_bytes;
};

/* Takes `count` bytes off, or what is left. */
void text_skip(struct text_cursor *text, size_t count);

/* What is there up to the next line's end, which is taken off with it. */
struct text_cursor text_line(struct text_cursor *text);
/* The same up to the next `end`. */
struct text_cursor text_until(struct text_cursor *text, char end);

/* Takes `word` off, if the text begins with it. */
bool text_take(struct text_cursor *text, const char *word);
/* A decimal number, which stops at the ends of its range; a hexadecimal one behind 0x. */
bool text_take_number(struct text_cursor *text, int64_t *number);
bool text_take_hex(struct text_cursor *text, uint64_t *number);

bool text_is(const struct text_cursor *text, const char *word);
/* Bytes before the last `wanted`; all of them when there is none. */
size_t text_last(const struct text_cursor *text, char wanted);

#endif
