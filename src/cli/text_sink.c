#include "text_sink.h"

#include "memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_write(struct sink *sink, const char *text)
{
    return sink->write(sink, text, strlen(text));
}

bool text_format(struct sink *sink, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    bool written = length >= 0 && sink->write(sink, text, (size_t)length);
    if (length >= 0)
        free(text);
    return written;
}

/* Bytes of the UTF-8 character at `text`: 1 to 4, or 0 when it is none. */
static size_t character_bytes(const unsigned char *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = text[0];
    size_t size_bytes = first < 0x80                    ? 1
                        : first >= 0xc2 && first < 0xe0 ? 2
                        : first >= 0xe0 && first < 0xf0 ? 3
                        : first >= 0xf0 && first < 0xf5 ? 4
                                                        : 0;
    uint32_t code = size_bytes > 1 ? first & (0x7fu >> size_bytes) : first;
    for (size_t i = 1; i < size_bytes; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return size_bytes > 0 && code >= least[size_bytes] && !surrogate && code <= 0x10ffff
               ? size_bytes
               : 0;
}

static bool needs_escape(unsigned char byte)
{
    return byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f;
}

bool text_json(struct sink *sink, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    bool written = text_write(sink, "\"");
    while (written && *at != '\0') {
        size_t plain = 0, step;
        while (at[plain] != '\0' && !needs_escape(at[plain]) &&
               (step = character_bytes(at + plain)) > 0)
            plain += step;
        written = sink->write(sink, at, plain);
        at += plain;
        if (*at == '\0')
            break;
        written = written && (needs_escape(*at) ? text_format(sink, "\\u%04x", *at)
                                                : text_write(sink, "\\ufffd"));
        at++;
    }
    return written && text_write(sink, "\"");
}
