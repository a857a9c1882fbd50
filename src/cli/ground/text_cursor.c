#include "text_cursor.h"

#include <string.h>

void text_skip(struct text_cursor *text, size_t count)
{
    if (count > text->left_bytes)
        count = text->left_bytes;
    text->at += count;
    text->left_bytes -= count;
}

struct text_cursor text_until(struct text_cursor *text, char end)
{
    const char *found = text->left_bytes > 0 ? memchr(text->at, end, text->left_bytes) : NULL;
    struct text_cursor part = {text->at, found ? (size_t)(found - text->at) : text->left_bytes};
    text_skip(text, part.left_bytes + 1);
    return part;
}

struct text_cursor text_line(struct text_cursor *text)
{
    struct text_cursor line = text_until(text, '\n');
    if (line.left_bytes > 0 && line.at[line.left_bytes - 1] == '\r')
        line.left_bytes--;
    return line;
}

bool text_take(struct text_cursor *text, const char *word)
{
    size_t length = strlen(word);
    if (length > text->left_bytes || memcmp(text->at, word, length) != 0)
        return false;
    text_skip(text, length);
    return true;
}

bool text_take_number(struct text_cursor *text, int64_t *number)
{
    bool negative = text_take(text, "-"), any = false;
    *number = 0;
    for (; text->left_bytes > 0 && text->at[0] >= '0' && text->at[0] <= '9'; any = true) {
        int digit = text->at[0] - '0';
        *number = *number > (INT64_MAX - digit) / 10 ? INT64_MAX : *number * 10 + digit;
        text_skip(text, 1);
    }
    if (negative)
        *number = -*number;
    return any;
}

static int digit_of(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

bool text_take_hex(struct text_cursor *text, uint64_t *number)
{
    bool any = false;
    *number = 0;
    if (!text_take(text, "0x"))
        return false;
    for (; text->left_bytes > 0 && digit_of(text->at[0]) >= 0; any = true) {
        *number = *number << 4 | (uint64_t)digit_of(text->at[0]);
        text_skip(text, 1);
    }
    return any;
}

bool text_is(const struct text_cursor *text, const char *word)
{
    return text->left_bytes == strlen(word) && memcmp(text->at, word, text->left_bytes) == 0;
}

size_t text_last(const struct text_cursor *text, char wanted)
{
    const char *found = text->left_bytes > 0 ? memrchr(text->at, wanted, text->left_bytes) : NULL;
    return found ? (size_t)(found - text->at) : text->left_bytes;
}
