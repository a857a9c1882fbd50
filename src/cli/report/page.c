#include "page.h"

#include "cli/ground/character.h"
#include "cli/ground/memory.h"
#include "cli/ground/name_text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    PAGE_COLUMNS_MIN = 80, /* narrower, columns would cut each other */
    PAGE_COLUMNS_MAX = 160 /* wider, a row is hard to follow */
};

static const char *const escapes[] = {"", "\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[33m"};

static bool wants_colour(void)
{
    const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return !(refused && refused[0]) && !(terminal && strcmp(terminal, "dumb") == 0);
}

/* By the variable that decides on the locale's characters. */
static bool speaks_utf8(void)
{
    static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *value = getenv(variables[i]);
        if (value && value[0])
            return strcasestr(value, "UTF-8") || strcasestr(value, "UTF8");
    }
    return false;
}

struct page page_of(FILE *out)
{
    struct page page = {.out = out, .columns = PAGE_COLUMNS, .unicode = speaks_utf8()};
    int fd = fileno(out);
    if (fd < 0 || !isatty(fd))
        return page;
    struct winsize size;
    page.colour = wants_colour();
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        page.columns = size.ws_col;
    if (page.columns < PAGE_COLUMNS_MIN)
        page.columns = PAGE_COLUMNS_MIN;
    if (page.columns > PAGE_COLUMNS_MAX)
        page.columns = PAGE_COLUMNS_MAX;
    return page;
}

void page_put(const struct page *page, enum paint paint, const char *text)
{
    size_t length = strlen(text);
    bool line_end = length > 0 && text[length - 1] == '\n';
    length -= line_end; /* a colour ends with its line */
    bool painted = page->colour && paint != PAINT_PLAIN && length > 0;
    fprintf(page->out, "%s%.*s%s%s", painted ? escapes[paint] : "", (int)length, text,
            painted ? "\033[0m" : "", line_end ? "\n" : "");
}

void page_format(const struct page *page, enum paint paint, const char *format, ...)
{
    char text[2 * NAME_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    page_put(page, paint, text);
}

void page_spaces(const struct page *page, size_t count)
{
    fprintf(page->out, "%*s", (int)count, "");
}

static size_t padding(const char *text, size_t columns)
{
    size_t used = character_text_columns(text);
    return used < columns ? columns - used : 0;
}

void page_right(const struct page *page, enum paint paint, const char *text, size_t columns)
{
    page_spaces(page, padding(text, columns));
    page_put(page, paint, text);
}

void page_left(const struct page *page, enum paint paint, const char *text, size_t columns)
{
    page_put(page, paint, text);
    page_spaces(page, padding(text, columns));
}

/* Up to the next place to break: a number stays with its unit. */
static size_t word_bytes(const char *text)
{
    size_t length = strcspn(text, " ");
    const char *digit = text + (text[0] == '+' || text[0] == '-');
    if (isdigit((unsigned char)digit[0]) && text[length] == ' ')
        length += 1 + strcspn(text + length + 1, " ");
    return length;
}

/* As many bytes of words as fit into `room` columns: one word at least. */
static size_t line_bytes(const char *text, size_t room)
{
    size_t length = word_bytes(text);
    for (size_t next = length; next > 0;) {
        char *line = memory_text(text, next);
        bool fits = character_text_columns(line) <= room;
        free(line);
        if (!fits)
            return length;
        length = next;
        next = text[next] ? next + 1 + word_bytes(text + next + 1) : 0;
    }
    return length;
}

void page_wrapped(const struct page *page, enum paint paint, const char *text, size_t indent)
{
    for (size_t set_in = indent; *text; set_in = indent + 2) {
        size_t length = line_bytes(text, page->columns > set_in ? page->columns - set_in : 0);
        char *line = memory_text(text, length);
        page_spaces(page, set_in);
        page_put(page, paint, line);
        page_put(page, PAINT_PLAIN, "\n");
        free(line);
        text += length;
        text += *text == ' ';
    }
}
