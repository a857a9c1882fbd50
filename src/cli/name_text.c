#include "name_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char CUT_MARK[] = "...";
enum { NAME_COLUMNS_MIN = 8 }; /* the mark and a few characters */

const char *name_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t name_columns(const char *text)
{
    size_t columns = 0;
    for (; *text; text++)
        columns += !is_continuation(*text);
    return columns;
}

/* True for C0 controls, DEL, and the first byte of C1 controls in UTF-8. */
static bool is_control(const char *at)
{
    unsigned char byte = (unsigned char)at[0], following = (unsigned char)at[1];
    return byte < 0x20 || byte == 0x7f || (byte == 0xc2 && following >= 0x80 && following < 0xa0);
}

struct name_text name_plain(const char *text)
{
    struct name_text plain;
    size_t length = 0;
    for (; text[length] && length + 1 < sizeof plain.text; length++)
        plain.text[length] = is_control(text + length) ? '?' : text[length];
    plain.text[length] = '\0';
    return plain;
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

/* std::__cxx11::basic_string<char, ...> is std::string to everyone. */
static void shorten_standard(char *text)
{
    static const char inner[] = "__cxx11::", string[] = "std::basic_string<char,";
    for (char *at; (at = strstr(text, inner));)
        erase(at, at + sizeof inner - 1);
    for (char *at; (at = strstr(text, string));) {
        const char *end = group_end(at + sizeof string - 7 /* "<char," and NUL */);
        if (!end)
            return;
        memcpy(at, "std::string", 11);
        erase(at + 11, end);
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

struct name_text name_text(const char *name)
{
    struct name_text plain = name_plain(name);
    char *clone = strstr(plain.text, " [clone ");
    if (clone)
        *clone = '\0';
    shorten_standard(plain.text);
    char *parameters = parameters_of(plain.text);
    if (parameters) {
        *parameters = '\0';
        erase(plain.text, after_return_type(plain.text));
    }
    return plain;
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

/* Cuts the head so that `columns` remain, the mark included. */
static void cut_head(char *text, size_t columns)
{
    size_t surplus = name_columns(text) - columns + sizeof CUT_MARK - 1;
    char *at = text;
    while (surplus > 0 && *at)
        surplus -= !is_continuation(*++at);
    size_t mark = sizeof CUT_MARK - 1;
    if ((size_t)(at - text) < mark)
        return;
    memcpy(at - mark, CUT_MARK, mark);
    erase(text, at - mark);
}

struct name_text name_text_fitted(const char *name, size_t columns)
{
    struct name_text fitted = name_text(name);
    if (columns < NAME_COLUMNS_MIN)
        columns = NAME_COLUMNS_MIN;
    for (int depth = 2; depth >= 1 && name_columns(fitted.text) > columns; depth--)
        fold_templates(fitted.text, depth);
    if (name_columns(fitted.text) > columns)
        cut_head(fitted.text, columns);
    return fitted;
}

struct name_text name_place(const char *path, long long line, size_t columns)
{
    struct name_text place = name_plain(name_base(path));
    size_t length = strlen(place.text);
    if (length == 0)
        return place;
    if (line > 0 && length + 24 < sizeof place.text)
        snprintf(place.text + length, sizeof place.text - length, ":%lld", line);
    if (columns < NAME_COLUMNS_MIN)
        columns = NAME_COLUMNS_MIN;
    if (name_columns(place.text) > columns)
        cut_head(place.text, columns);
    return place;
}
