#include "json.h"

#include "character.h"

#include <string.h>

/* Control characters are escaped: the text may end on a terminal. */
static void put_escaped(FILE *out, uint32_t code)
{
    static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *found = code < 0x80 ? strchr(named, (int)code) : NULL;
    if (found)
        fprintf(out, "\\%c", letters[found - named]);
    else
        fprintf(out, "\\u%04x", code == CHARACTER_BAD ? 0xfffd : code);
}

/* Bytes of `text` that go out as they are. */
static size_t plain_bytes(const char *text)
{
    size_t length = 0;
    for (;;) {
        struct character next = character_at(text + length);
        if (!character_is_shown(next.code) || next.code == '"' || next.code == '\\')
            return length;
        length += next.size_bytes;
    }
}

static void put_string(FILE *out, const char *text)
{
    putc('"', out);
    for (struct character next; *text != '\0'; text += next.size_bytes) {
        size_t length = plain_bytes(text);
        fwrite(text, 1, length, out);
        text += length;
        next = character_at(text);
        if (next.size_bytes > 0)
            put_escaped(out, next.code);
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

void json_number_known(struct json *json, const char *key, int64_t number)
{
    if (number != 0)
        json_number(json, key, number);
}

void json_text_known(struct json *json, const char *key, const char *text)
{
    if (text && text[0])
        json_text(json, key, text);
}

void json_real(struct json *json, const char *key, double number)
{
    put_key(json, key);
    fprintf(json->out, "%.4f", number);
}

void json_truth(struct json *json, const char *key, bool truth)
{
    put_key(json, key);
    fputs(truth ? "true" : "false", json->out);
}
