#include "name_text.h"

#include "character.h"
#include "memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char CUT_MARK[] = "...";
enum {
    NAME_COLUMNS_MIN = 8,         /* the mark and a few characters */
    NAME_READ_BYTES_MAX = 1 << 14 /* longer names exist only to hurt */
};

/* What of `text` fits, characters whole. */
static struct name_text name_cut(const char *text)
{
    struct name_text cut;
    size_t length = 0, next;
    while ((next = character_at(text + length).size_bytes) > 0 && length + next < sizeof cut.text)
        length += next;
    memcpy(cut.text, text, length);
    cut.text[length] = '\0';
    return cut;
}

struct name_text name_plain(const char *text)
{
    struct name_text plain = name_cut(text);
    character_make_plain(plain.text);
    return plain;
}

struct name_text name_plain_fitted(const char *text, size_t columns)
{
    struct name_text fitted = name_plain(text);
    if (columns < NAME_COLUMNS_MIN)
        columns = NAME_COLUMNS_MIN;
    if (character_text_columns(fitted.text) > columns)
        strcpy(fitted.text + character_bytes_in(fitted.text, columns - strlen(CUT_MARK)), CUT_MARK);
    return fitted;
}

static void erase(char *from, const char *to)
{
    memmove(from, to, strlen(to) + 1);
}

/* The end of the bracketed group that opens at `at`: one past its closing bracket; NULL: none. */
static const char *group_end(const char *at)
{
    char open = *at, close = open == '<' ? '>' : ')';
    int depth = 0;
    for (; *at; at++) {
        if (*at == open)
            depth++;
        else if (*at == close && !(close == '>' && at[-1] == '-') && --depth == 0)
            return at + 1;
    }
    return NULL;
}

/* Erases up to `end`, and the space that kept ">" from what is now gone: "> >". */
static void erase_argument(char *from, const char *end)
{
    bool space = end[0] == ' ' && end[1] == '>' && from[-1] != '>';
    erase(from, end + space);
}

/* std::__cxx11::basic_string<char, ...> is std::string to everyone, and std::allocator is a default
   that nobody writes. */
static void shorten_standard(char *text)
{
    static const char inner[] = "__cxx11::", string[] = "std::basic_string<char,",
                      allocator[] = ", std::allocator<";
    const char *end;
    for (char *at; (at = strstr(text, inner));)
        erase(at, at + sizeof inner - 1);
    for (char *at; (at = strstr(text, string));) {
        if (!(end = group_end(at + sizeof string - 7 /* "<char," and NUL */)))
            return;
        memcpy(at, "std::string", 11);
        erase_argument(at + 11, end);
    }
    for (char *at; (at = strstr(text, allocator));) {
        if (!(end = group_end(at + sizeof allocator - 2)))
            return;
        erase_argument(at, end);
    }
}

/* The "(" of a parameter list that ends the name, or NULL. Go's "main.(*T).f" has none, nor has
   "foo::operator()". */
static char *parameters_of(char *text)
{
    size_t length = strlen(text);
    static const char *const qualifiers[] = {" const", " volatile", " &&", " &"};
    for (size_t i = 0; i < sizeof qualifiers / sizeof qualifiers[0]; i++) {
        size_t qualifier = strlen(qualifiers[i]);
        if (length > qualifier && strcmp(text + length - qualifier, qualifiers[i]) == 0)
            length -= qualifier;
    }
    if (length == 0 || text[length - 1] != ')')
        return NULL;
    int depth = 0;
    for (char *at = text + length; at-- > text;) {
        if (*at == ')')
            depth++;
        else if (*at == '(' && --depth == 0) {
            bool is_name = at == text || at[-1] == '.' || at[-1] == ':' ||
                           (at - text >= 8 && strncmp(at - 8, "operator", 8) == 0);
            return is_name ? NULL : at;
        }
    }
    return NULL;
}

/* Where the name begins after a return type: behind the last space outside of brackets, none in an
   operator's name. */
static char *after_return_type(char *text)
{
    char *begin = text;
    int depth = 0;
    for (char *at = text; *at; at++) {
        if (depth == 0 && strncmp(at, "operator", 8) == 0)
            break;
        if (*at == '<' || *at == '(' || *at == '[' || *at == '{')
            depth++;
        else if (depth > 0 && (*at == '>' || *at == ')' || *at == ']' || *at == '}'))
            depth--;
        else if (*at == ' ' && depth == 0)
            begin = at + 1;
    }
    return *begin ? begin : text;
}

/* Empties template arguments nested `depth_min` deep or deeper. A name that begins with "<" is
   Rust's "<Type as Trait>::f" and keeps its head. */
static void fold_templates(char *text, int depth_min)
{
    char *out = text;
    int depth = 0, base = text[0] == '<' ? 1 : 0;
    for (const char *at = text; *at; at++) {
        bool in_operator = at - text >= 8 && strncmp(at - 8, "operator", 8) == 0;
        if (*at == '<' && in_operator && depth <= base) {
            *out++ = *at;
            continue;
        }
        if (*at == '>' && depth > 0 && at[-1] != '-')
            depth--;
        if (depth < depth_min + base)
            *out++ = *at;
        if (*at == '<')
            depth++;
    }
    *out = '\0';
}

struct name_text name_text(const char *name)
{
    char *text = character_make_plain(memory_text(name, strnlen(name, NAME_READ_BYTES_MAX)));
    char *clone = strstr(text, " [clone ");
    if (clone)
        *clone = '\0';
    shorten_standard(text);
    char *parameters = parameters_of(text);
    if (parameters) {
        *parameters = '\0';
        erase(text, after_return_type(text));
    }
    for (int depth = 2; depth >= 1 && strlen(text) >= NAME_TEXT_BYTES; depth--)
        fold_templates(text, depth);
    struct name_text shown = name_cut(text);
    free(text);
    return shown;
}

/* Cuts the head so that `columns` remain, the mark included. */
static void cut_head(char *text, size_t columns)
{
    size_t mark = sizeof CUT_MARK - 1;
    size_t surplus = character_text_columns(text) - columns + mark;
    const char *at = text;
    for (size_t cut = 0; cut < surplus;) {
        struct character next = character_at(at);
        cut += character_columns(next.code);
        at += next.size_bytes;
    }
    memmove(text + mark, at, strlen(at) + 1);
    memcpy(text, CUT_MARK, mark);
}

struct name_text name_text_fitted(const char *name, size_t columns)
{
    struct name_text fitted = name_text(name);
    if (columns < NAME_COLUMNS_MIN)
        columns = NAME_COLUMNS_MIN;
    for (int depth = 2; depth >= 1 && character_text_columns(fitted.text) > columns; depth--)
        fold_templates(fitted.text, depth);
    if (character_text_columns(fitted.text) > columns)
        cut_head(fitted.text, columns);
    return fitted;
}

struct name_text name_place(const char *path, long long line, size_t columns)
{
    struct name_text place = name_plain(basename(path));
    size_t length = strlen(place.text);
    if (length == 0)
        return place;
    if (line > 0 && length + 24 < sizeof place.text)
        snprintf(place.text + length, sizeof place.text - length, ":%lld", line);
    if (columns < NAME_COLUMNS_MIN)
        columns = NAME_COLUMNS_MIN;
    if (character_text_columns(place.text) > columns)
        cut_head(place.text, columns);
    return place;
}
