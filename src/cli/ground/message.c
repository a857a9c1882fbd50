#include "message.h"

#include "character.h"
#include "memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Prints and frees. */
static void print_line(char *line)
{
    fprintf(stderr, "heapdiff: %s\n", character_make_plain(line));
    free(line);
}

static char *format_text(const char *format, va_list arguments)
{
    char *text;
    return vasprintf(&text, format, arguments) < 0 ? memory_format("%s", format) : text;
}

bool message_error(const char *what, const char *why_format, ...)
{
    va_list arguments;
    va_start(arguments, why_format);
    char *why = format_text(why_format, arguments);
    va_end(arguments);
    print_line(memory_format("%s: %s", *what ? what : "\"\"", why));
    free(why);
    return false;
}

void message_note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_line(format_text(format, arguments));
    va_end(arguments);
}

int message_usage(const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    print_line(memory_format("%s (try \"heapdiff%s%s --help\")", text, command ? " " : "",
                             command ? command : ""));
    free(text);
    return 2;
}
