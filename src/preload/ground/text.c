#include "text.h"

#include <string.h>

struct text text_on(char *buffer, size_t room_bytes)
{
    buffer[0] = '\0';
    return (struct text){.start = buffer, .room_bytes = room_bytes};
}

void text_put_bytes(struct text *text, const char *bytes, size_t count)
{
    size_t room = text->room_bytes - 1 - text->length;
    if (count > room) {
        count = room;
        text->cut = true;
    }
    memcpy(text->start + text->length, bytes, count);
    text->length += count;
    text->start[text->length] = '\0';
}

void text_put(struct text *text, const char *string)
{
    text_put_bytes(text, string, strlen(string));
}

void text_put_number(struct text *text, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    text_put_bytes(text, digits + at, sizeof(digits) - at);
}

bool text_read_number(const char **at, uint64_t *number)
{
    const char *start = *at;
    uint64_t value = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(**at - '0'), &value))
            return false;
    *number = value;
    return *at > start;
}

uint64_t text_find_number(const char *haystack, const char *key)
{
    const char *at = strstr(haystack, key);
    if (!at)
        return 0;
    at += strlen(key);
    while (*at == ':' || *at == ' ' || *at == '\t')
        at++;
    uint64_t number = 0;
    return text_read_number(&at, &number) ? number : 0;
}

const char *text_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
