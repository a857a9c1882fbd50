#include "scratch.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];

int scratch_setup(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/heapdiff-unit-XXXXXX");
    return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

int scratch_teardown(void **state)
{
    DIR *open = opendir(directory);
    struct dirent *entry;
    (void)state;
    while (open && (entry = readdir(open)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove(entry->d_name);
    if (open)
        closedir(open);
    return chdir("/") == 0 && rmdir(directory) == 0 ? 0 : -1;
}

void scratch_write(const char *name, const void *bytes, size_t size_bytes)
{
    FILE *file = fopen(name, "wb");
    if (!file || fwrite(bytes, 1, size_bytes, file) != size_bytes || fclose(file) != 0)
        abort();
}

long scratch_size(const char *name)
{
    struct stat status;
    return stat(name, &status) == 0 ? (long)status.st_size : -1;
}

int scratch_count(void)
{
    int count = -2;
    DIR *open = opendir(".");
    while (open && readdir(open))
        count++;
    if (open)
        closedir(open);
    return count;
}
