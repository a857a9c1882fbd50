#include "page.h"

#include "character.h"
#include "name_text.h"

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

struct page page_of(FILE *out)
{
    struct page page = {.out = out, .columns = PAGE_COLUMNS};
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
