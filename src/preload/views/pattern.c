#include "pattern.h"

#include "preload/ground/text.h"

bool pattern_absolute(char *pattern, size_t room_bytes, const char *directory, const char *out)
{
    struct text text = text_on(pattern, room_bytes);
    if (out[0] != '/') {
        for (; *directory != '\0'; directory++)
            text_put_bytes(&text, *directory == '%' ? "%%" : directory, *directory == '%' ? 2 : 1);
        text_put(&text, "/");
    }
    text_put(&text, out);
    return !text.cut;
}

static void put_field(struct text *text, char letter, const struct pattern_values *values)
{
    switch (letter) {
    case 'n':
        text_put(text, values->name);
        break;
    case 'h':
        text_put(text, values->host);
        break;
    case 'p':
        text_put_number(text, values->pid);
        break;
    case 'c':
        text_put_number(text, values->counter);
        break;
    case 't':
        text_put_number(text, values->time_s);
        break;
    default:
        text_put_bytes(text, "%", 1);
    }
}

bool pattern_expand(char *path, size_t room_bytes, const char *pattern,
                    const struct pattern_values *values)
{
    struct text text = text_on(path, room_bytes);
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '%' && pattern[1] != '\0')
            put_field(&text, *++pattern, values);
        else
            text_put_bytes(&text, pattern, 1);
    }
    return !text.cut;
}

bool pattern_counts(const char *pattern)
{
    for (; *pattern != '\0'; pattern++)
        if (*pattern == '%' && *++pattern == 'c')
            return true;
        else if (*pattern == '\0')
            break;
    return false;
}
