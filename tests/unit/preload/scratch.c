#include "scratch.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[256];

const char *scratch_make(void)
{
    const char *below = getenv("TMPDIR");
    snprintf(directory, sizeof(directory), "%s/heapdiff.XXXXXX", below ? below : "/tmp");
    assert_non_null(mkdtemp(directory));
    return directory;
}

/* The next entry but "." and "..". */
static const char *next_name(DIR *open)
{
    const struct dirent *entry;
    while ((entry = readdir(open)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return entry->d_name;
    return NULL;
}

void scratch_remove(void)
{
    char path[SCRATCH_PATH_BYTES_MAX];
    DIR *open = opendir(directory);
    assert_non_null(open);
    for (const char *name; (name = next_name(open)) != NULL;)
        assert_int_equal(unlink(scratch_path(path, name)), 0);
    closedir(open);
    assert_int_equal(rmdir(directory), 0);
}

int scratch_before(void **state)
{
    (void)state;
    scratch_make();
    return 0;
}

int scratch_after(void **state)
{
    (void)state;
    scratch_remove();
    return 0;
}

const char *scratch_path(char *path, const char *name)
{
    int length = snprintf(path, SCRATCH_PATH_BYTES_MAX, "%s/%s", directory, name);
    assert_true(length < SCRATCH_PATH_BYTES_MAX);
    return path;
}

bool scratch_has(const char *name)
{
    char path[SCRATCH_PATH_BYTES_MAX];
    struct stat found;
    return lstat(scratch_path(path, name), &found) == 0;
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name), end = strlen(suffix);
    return length >= end && strcmp(name + length - end, suffix) == 0;
}

static unsigned count_in(const char *path, const char *suffix)
{
    unsigned count = 0;
    DIR *open = opendir(path);
    assert_non_null(open);
    for (const char *name; (name = next_name(open)) != NULL;)
        count += ends_with(name, suffix);
    closedir(open);
    return count;
}

unsigned scratch_count(const char *suffix)
{
    return count_in(directory, suffix);
}

void scratch_write(const char *name, const char *content)
{
    char path[SCRATCH_PATH_BYTES_MAX];
    FILE *file = fopen(scratch_path(path, name), "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

bool scratch_holds(const char *name, const char *content)
{
    char path[SCRATCH_PATH_BYTES_MAX], found[256] = "";
    FILE *file = fopen(scratch_path(path, name), "r");
    if (!file)
        return false;
    size_t length = fread(found, 1, sizeof(found), file);
    fclose(file);
    return length == strlen(content) && memcmp(found, content, length) == 0;
}

unsigned scratch_descriptors(void)
{
    return count_in("/proc/self/fd", "");
}
