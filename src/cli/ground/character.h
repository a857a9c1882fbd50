/*
 * character.h - text from files and other people's processes, character by character.
 *
 * What it is: UTF-8 decoded, and what a terminal makes of a character: how many columns it takes,
 *   and whether it is one to be shown or one that steers (escape sequences begin with such).
 * Owns: nothing. Context: cli; any bytes are legal. Output is UTF-8 whatever the locale says: names
 *   in programs are. Not here: function names and their shortening (name_text.h).
 */
#ifndef HEAPDIFF_CLI_CHARACTER_H
#define HEAPDIFF_CLI_CHARACTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct character {
    uint32_t code;     /* Unicode's; CHARACTER_BAD when the bytes are not UTF-8 */
    size_t size_bytes; /* 0 at the end of the text, 1 for a byte that is not UTF-8 */
};

static const uint32_t CHARACTER_BAD = UINT32_MAX;

/* The character at `at`, which is NUL-terminated. */
struct character character_at(const char *at);

/* False for control characters, those that turn the direction of text, and CHARACTER_BAD. */
bool character_is_shown(uint32_t code);

/* Columns of a terminal: 2 for East Asian wide ones, 0 for those that combine, else 1. */
size_t character_columns(uint32_t code);

/* Puts '?' in place of all that is not to be shown; the text never grows. Returns `text`. */
char *character_make_plain(char *text);

/* Columns that a plain text takes. */
size_t character_text_columns(const char *text);

/* The first `columns` columns of a plain text, as bytes. */
size_t character_bytes_in(const char *text, size_t columns);

#endif
