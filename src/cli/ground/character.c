#include "character.h"

#include <string.h>

struct code_range {
    uint32_t first, last;
};

/* Sequences that are too long for their code, surrogates, and codes that do not exist. */
static bool is_legal(uint32_t code, size_t size_bytes)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    return code >= smallest[size_bytes] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

/* What the first byte says; 0: it begins no character. */
static size_t size_told(unsigned char first)
{
    if (first < 0xc2 || first > 0xf4)
        return first < 0x80;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

struct character character_at(const char *at)
{
    static const unsigned char bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const unsigned char *bytes = (const unsigned char *)at;
    struct character bad = {CHARACTER_BAD, 1};
    size_t size_bytes = size_told(bytes[0]);
    if (bytes[0] == '\0')
        return (struct character){0, 0};
    if (size_bytes == 0)
        return bad;
    uint32_t code = bytes[0] & bits[size_bytes];
    for (size_t i = 1; i < size_bytes; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return bad; /* the terminating NUL too */
        code = code << 6 | (bytes[i] & 0x3f);
    }
    return is_legal(code, size_bytes) ? (struct character){code, size_bytes} : bad;
}

static bool is_among(const struct code_range *ranges, size_t count, uint32_t code)
{
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

bool character_is_shown(uint32_t code)
{
    static const struct code_range steering[] = {
        {0, 0x1f},        {0x7f, 0x9f},     {0x61c, 0x61c},   {0x200e, 0x200f},
        {0x2028, 0x202e}, {0x2066, 0x206f}, {0xfeff, 0xfeff}, {CHARACTER_BAD, CHARACTER_BAD},
    };
    return code >= 0x20 &&
           (code < 0x7f || !is_among(steering, sizeof steering / sizeof *steering, code));
}

size_t character_columns(uint32_t code)
{
    static const struct code_range combining[] = {
        {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},  {0x200b, 0x200d},
        {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
    static const struct code_range wide[] = {
        {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xac00, 0xd7a3},
        {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
        {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
    if (code < 0x300)
        return 1;
    if (is_among(combining, sizeof combining / sizeof *combining, code))
        return 0;
    return is_among(wide, sizeof wide / sizeof *wide, code) ? 2 : 1;
}

char *character_make_plain(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0';) {
        struct character character = character_at(at);
        if (character_is_shown(character.code)) {
            memmove(to, at, character.size_bytes);
            to += character.size_bytes;
        } else {
            *to++ = '?';
        }
        at += character.size_bytes;
    }
    *to = '\0';
    return text;
}

size_t character_text_columns(const char *text)
{
    size_t columns = 0;
    for (struct character next; (next = character_at(text)).size_bytes > 0;) {
        columns += character_columns(next.code);
        text += next.size_bytes;
    }
    return columns;
}

size_t character_bytes_in(const char *text, size_t columns)
{
    const char *at = text;
    size_t used = 0;
    for (struct character next; (next = character_at(at)).size_bytes > 0;) {
        used += character_columns(next.code);
        if (used > columns)
            break;
        at += next.size_bytes;
    }
    return (size_t)(at - text);
}
