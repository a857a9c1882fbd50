#include "source_path.h"

#include "cli/ground/memory.h"

#include <stdbool.h>
#include <string.h>

static bool is_up(const char *part, size_t length)
{
    return length == 2 && part[0] == '.' && part[1] == '.';
}

/* Where the last part of out[0, length) starts. */
static size_t last_part(const char *out, size_t length)
{
    while (length > 0 && out[length - 1] != '/')
        length--;
    return length;
}

/* Appends one part to the `length` characters of `out`; returns the new length. */
static size_t part_append(char *out, size_t length, const char *part, size_t part_length)
{
    size_t root = out[0] == '/' ? 1 : 0;
    if (part_length == 0 || (part_length == 1 && part[0] == '.'))
        return length;
    if (is_up(part, part_length) && length > root) {
        size_t last = last_part(out, length);
        if (!is_up(out + last, length - last))
            return last > root ? last - 1 : root;
    }
    if (is_up(part, part_length) && length == root && root == 1)
        return length;
    if (length > root)
        out[length++] = '/';
    memcpy(out + length, part, part_length);
    return length + part_length;
}

static size_t path_append(char *out, size_t length, const char *path)
{
    while (*path != '\0') {
        size_t part_length = strcspn(path, "/");
        length = part_append(out, length, path, part_length);
        path += part_length + (path[part_length] == '/');
    }
    return length;
}

char *source_path(const char *directory, const char *path)
{
    const char *first = path[0] == '/' || path[0] == '\0' ? "" : directory;
    char *out = memory_zeroed(strlen(first) + strlen(path) + 2, 1);
    size_t length = 0;
    if (first[0] == '/' || path[0] == '/')
        out[length++] = '/';
    length = path_append(out, length, first);
    length = path_append(out, length, path);
    out[length] = '\0';
    return out;
}
