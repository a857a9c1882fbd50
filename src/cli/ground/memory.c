#include "memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 16 };

static void *memory_checked(void *memory)
{
    if (memory == NULL) {
        fputs("heapdiff: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

void *memory_zeroed(size_t count, size_t each_bytes)
{
    return memory_checked(calloc(count != 0 ? count : 1, each_bytes));
}

void *memory_resized(void *memory, size_t count, size_t each_bytes)
{
    return memory_checked(reallocarray(memory, count != 0 ? count : 1, each_bytes));
}

void *memory_grown(void *memory, size_t count, size_t *capacity, size_t each_bytes)
{
    if (count < *capacity)
        return memory;
    *capacity = *capacity != 0 ? *capacity * 2 : CAPACITY_MIN;
    return memory_resized(memory, *capacity, each_bytes);
}

char *memory_text(const char *text, size_t length)
{
    char *copy = memory_zeroed(length + 1, 1);
    memcpy(copy, text, length);
    return copy;
}

char *memory_format(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return memory_checked(length < 0 ? NULL : text);
}
