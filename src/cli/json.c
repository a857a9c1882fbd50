#include "json.h"

#include <string.h>

/* Bytes of the UTF-8 character at `at`; 0 when it is not one. */
static size_t character_bytes(const unsigned char *at)
{
    static const unsigned char seconds[][3] = {
        /* first byte, smallest and largest second byte: no overlong forms, surrogates, > 10FFFF */
        {0xe0, 0xa0, 0xbf},
        {0xed, 0x80, 0x9f},
        {0xf0, 0x90, 0xbf},
        {0xf4, 0x80, 0x8f}};
    unsigned char smallest = 0x80, largest = 0xbf;
    if (at[0] < 0x80)
        return 1;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++)
        if (at[0] == seconds[i][0]) {
            smallest = seconds[i][1];
            largest = seconds[i][2];
        }
    size_t count = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (at[1] < smallest || at[1] > largest)
        return 0;
    for (size_t i = 2; i < count; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return count;
}

static void put_escaped(FILE *out, unsigned char byte)
{
    static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *found = byte ? strchr(named, byte) : NULL;
    if (found)
        fprintf(out, "\\%c", letters[found - named]);
    else
        fprintf(out, "\\u%04x", byte);
}

/* Bytes from `at` on that go out as they are. */
static size_t plain_bytes(const unsigned char *at)
{
    size_t length = 0;
    for (;;) {
        unsigned char byte = at[length];
        if (byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\\')
            return length;
        size_t count = character_bytes(at + length);
        if (count == 0)
            return length;
        length += count;
    }
}

static void put_string(FILE *out, const char *text)
{
    putc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        size_t length = plain_bytes(at);
        fwrite(at, 1, length, out);
        at += length;
        if (!*at)
            break;
        if (character_bytes(at) == 0)
            fputs("\\ufffd", out);
        else
            put_escaped(out, *at);
        at++;
    }
    putc('"', out);
}

static void put_line(const struct json *json)
{
    if (json->depth <= json->lines_depth)
        fprintf(json->out, "\n%*s", 2 * json->depth, "");
}

/* What comes before a value: comma, line, key. */
static void put_key(struct json *json, const char *key)
{
    if (!json->empty && json->depth > 0)
        fputs(json->depth <= json->lines_depth ? "," : ", ", json->out);
    if (json->depth > 0)
        put_line(json);
    json->empty = false;
    if (!key)
        return;
    put_string(json->out, key);
    fputs(": ", json->out);
}

void json_open(struct json *json, const char *key, char bracket)
{
    put_key(json, key);
    putc(bracket, json->out);
    json->depth++;
    json->empty = true;
}

void json_close(struct json *json, char bracket)
{
    json->depth--;
    if (!json->empty && json->depth < json->lines_depth)
        put_line(json);
    putc(bracket, json->out);
    json->empty = false;
    if (json->depth == 0)
        putc('\n', json->out);
}

void json_text(struct json *json, const char *key, const char *text)
{
    put_key(json, key);
    put_string(json->out, text);
}

void json_number(struct json *json, const char *key, int64_t number)
{
    put_key(json, key);
    fprintf(json->out, "%lld", (long long)number);
}

void json_real(struct json *json, const char *key, double number)
{
    put_key(json, key);
    fprintf(json->out, "%.4f", number);
}

void json_bool(struct json *json, const char *key, bool value)
{
    put_key(json, key);
    fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key)
{
    put_key(json, key);
    fputs("null", json->out);
}
