#include "preload_path.h"

#include "cli/ground/memory.h"
#include "cli/ground/message.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY_NAME "libheapdiff.so"

#if defined(__x86_64__)
#define TRIPLET "x86_64-linux-gnu"
#else
#define TRIPLET "aarch64-linux-gnu"
#endif

/* The loader takes a space or a colon in LD_PRELOAD for the end of a name. */
static char *checked_path(char *path)
{
    if (path && strpbrk(path, " :\t\n")) {
        message_error(path, "LD_PRELOAD cannot hold a path with a space or a colon");
        free(path);
        return NULL;
    }
    return path;
}

/* The absolute form of "DIRECTORY/REST" if there is such a file; malloc'd, or NULL. */
static char *existing(const char *directory, const char *rest)
{
    char *path = memory_format("%s/%s", directory, rest);
    char *absolute = access(path, R_OK) == 0 ? realpath(path, NULL) : NULL;
    free(path);
    return absolute;
}

/* The directory of this executable; malloc'd. */
static char *own_directory(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
    if (length <= 0 || length == sizeof(path))
        return memory_format(".");
    while (length > 1 && path[length - 1] != '/')
        length--;
    return memory_text(path, (size_t)length);
}

char *preload_path_library(void)
{
    const char *given = getenv("HEAPDIFF_PRELOAD");
    if (given && *given != '\0') {
        char *path = realpath(given, NULL);
        if (!path)
            message_error(given, "no such library (HEAPDIFF_PRELOAD)");
        return checked_path(path);
    }
    char *directory = own_directory();
    char *path = existing(directory, "../preload/" LIBRARY_NAME);
    if (!path) /* installed, then moved as a whole */
        path = existing(directory, HEAPDIFF_LIBDIR_FROM_BINDIR "/" LIBRARY_NAME);
    if (!path)
        path = existing(HEAPDIFF_LIBDIR, LIBRARY_NAME);
    free(directory);
    if (!path)
        message_error(LIBRARY_NAME, "not found in %s (HEAPDIFF_PRELOAD names another place)",
                      HEAPDIFF_LIBDIR);
    return checked_path(path);
}

enum { ALLOCATOR_FILES_MAX = 4 };

struct allocator {
    const char *name;
    const char *files[ALLOCATOR_FILES_MAX]; /* best first */
};

static const struct allocator allocators[] = {
    {"jemalloc", {"libjemalloc.so.2", "libjemalloc.so.1", "libjemalloc.so"}},
    {"tcmalloc",
     {"libtcmalloc_minimal.so.4", "libtcmalloc.so.4", "libtcmalloc_minimal.so", "libtcmalloc.so"}},
    {"mimalloc", {"libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so.2.0", "libmimalloc.so"}},
};

/* Looks where the loader looks: LD_LIBRARY_PATH, then the usual directories. */
static char *find_library(const char *file)
{
    static const char *const directories[] = {"/usr/local/lib/" TRIPLET,
                                              "/usr/local/lib",
                                              "/usr/local/lib64",
                                              "/lib/" TRIPLET,
                                              "/usr/lib/" TRIPLET,
                                              "/lib64",
                                              "/usr/lib64",
                                              "/lib",
                                              "/usr/lib"};
    const char *more = getenv("LD_LIBRARY_PATH");
    char *path = NULL;
    while (!path && more && *more != '\0') {
        size_t length = strcspn(more, ":;");
        char *directory = memory_text(more, length);
        path = length > 0 ? existing(directory, file) : NULL;
        free(directory);
        more += length + (more[length] != '\0');
    }
    for (size_t i = 0; !path && i < sizeof(directories) / sizeof(directories[0]); i++)
        path = existing(directories[i], file);
    return path;
}

char *preload_path_allocator(const char *name)
{
    char *path = NULL;
    if (strchr(name, '/')) {
        path = realpath(name, NULL);
        if (!path)
            message_error(name, "no such library");
        return checked_path(path);
    }
    for (size_t i = 0; i < sizeof(allocators) / sizeof(allocators[0]); i++) {
        if (strcmp(allocators[i].name, name) != 0)
            continue;
        for (int file = 0; !path && file < ALLOCATOR_FILES_MAX && allocators[i].files[file]; file++)
            path = find_library(allocators[i].files[file]);
        if (!path)
            message_error(name, "%s is not installed", allocators[i].files[0]);
        return checked_path(path);
    }
    message_error(name, "unknown allocator (jemalloc, tcmalloc, mimalloc, or a library's path)");
    return NULL;
}

/* Whether `path` is one of the names in `list`. */
static bool is_listed(const char *list, const char *path)
{
    size_t length = strlen(path);
    for (const char *at = list; (at = strstr(at, path)) != NULL; at += length)
        if ((at == list || strchr(": ", at[-1])) && strchr(": ", at[length]))
            return true; /* strchr() finds the terminating NUL too */
    return false;
}

char *preload_path_variable(const char *library, const char *allocator)
{
    const char *before = getenv("LD_PRELOAD");
    if (!before)
        before = "";
    if (is_listed(before, library))
        library = "";
    if (!allocator || is_listed(before, allocator))
        allocator = "";
    const char *parts[] = {library, allocator, before};
    char *variable = memory_format("%s", "");
    for (int i = 0; i < 3; i++) {
        if (*parts[i] == '\0')
            continue;
        char *longer = memory_format("%s%s%s", variable, *variable != '\0' ? ":" : "", parts[i]);
        free(variable);
        variable = longer;
    }
    return variable;
}
