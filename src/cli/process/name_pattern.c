#include "name_pattern.h"

#include "cli/ground/memory.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNTER_TRIES = 1000000 };

/* Text under construction. */
struct builder {
    FILE *file;
    char *text;
    size_t size_bytes;
};

static void builder_open(struct builder *builder)
{
    builder->file = open_memstream(&builder->text, &builder->size_bytes);
    if (!builder->file)
        abort();
}

static char *builder_close(struct builder *builder)
{
    fclose(builder->file);
    return builder->text;
}

char *name_pattern_expand(const char *pattern, const struct name_values *values)
{
    struct builder name;
    builder_open(&name);
    for (; *pattern != '\0'; pattern++) {
        if (*pattern != '%' || pattern[1] == '\0') {
            fputc(*pattern, name.file);
            continue;
        }
        switch (*++pattern) {
        case 'n':
            fputs(values->program, name.file);
            break;
        case 'h':
            fputs(values->host, name.file);
            break;
        case 'p':
            fprintf(name.file, "%d", values->pid);
            break;
        case 'c':
            fprintf(name.file, "%llu", (unsigned long long)values->counter);
            break;
        case 't':
            fprintf(name.file, "%llu", (unsigned long long)values->time_s);
            break;
        default:
            fputc('%', name.file);
        }
    }
    return builder_close(&name);
}

char *name_pattern_free_name(const char *pattern, const struct name_values *values)
{
    struct name_values next = *values;
    char *name = name_pattern_expand(pattern, &next);
    for (int i = 0; i < COUNTER_TRIES && access(name, F_OK) == 0; i++) {
        next.counter++;
        char *other = name_pattern_expand(pattern, &next);
        bool same = strcmp(other, name) == 0;
        free(name);
        name = other;
        if (same)
            break;
    }
    return name;
}

/* Text that a search takes as it is. */
static void put_literal(FILE *file, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (strchr("*?[]\\", text[i]))
            fputc('\\', file);
        fputc(text[i], file);
    }
}

static void put_known(FILE *file, const char *text)
{
    if (text)
        put_literal(file, text, strlen(text));
    else
        fputc('*', file);
}

static void put_wanted(FILE *file, char letter, const struct name_values *values)
{
    if (letter == 'n')
        put_known(file, values->program);
    else if (letter == 'h')
        put_known(file, values->host);
    else if (letter == 'p' && values->pid != 0)
        fprintf(file, "%d", values->pid);
    else if (letter == '%')
        fputc('%', file);
    else
        fputc('*', file);
}

void name_pattern_search(struct path_list *list, const char *root, const char *pattern,
                         const struct name_values *values)
{
    struct builder wanted;
    glob_t found;
    builder_open(&wanted);
    put_literal(wanted.file, root, strlen(root));
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '%' && pattern[1] != '\0')
            put_wanted(wanted.file, *++pattern, values);
        else
            put_literal(wanted.file, pattern, 1);
    }
    char *text = builder_close(&wanted);
    if (glob(text, GLOB_NOSORT, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            path_list_add(list, found.gl_pathv[i]);
        globfree(&found);
    }
    free(text);
}

bool name_pattern_is_fixed(const char *pattern)
{
    for (; *pattern != '\0'; pattern++)
        if (*pattern == '%' && pattern[1] != '\0' && *++pattern != '%')
            return false;
    return true;
}

char *name_pattern_quote(const char *text)
{
    struct builder quoted;
    builder_open(&quoted);
    for (; *text != '\0'; text++) {
        if (*text == '%')
            fputc('%', quoted.file);
        fputc(*text, quoted.file);
    }
    return builder_close(&quoted);
}
