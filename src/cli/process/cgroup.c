#include "cgroup.h"

#include "cli/ground/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOUNT_FIELD_ROOM = 1024 };
/* Version 1 writes a limit that is none as the largest multiple of a page. */
static const uint64_t LIMIT_NONE = UINT64_C(1) << 62;

/* Whether `list`, "cpu,memory" up to `end`, has "memory". */
static bool has_memory(const char *list, const char *end)
{
    for (const char *at = list; at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *word_end = comma ? comma : end;
        if (word_end - at == 6 && memcmp(at, "memory", 6) == 0)
            return true;
        at = word_end + 1;
    }
    return false;
}

/* The path in a line "4:memory:/a/b" or "0::/a/b"; malloc'd, or NULL. */
static char *group_path(const char *cgroup, bool version_1)
{
    for (const char *line = cgroup; *line;) {
        const char *end = line + strcspn(line, "\n");
        const char *list = memchr(line, ':', (size_t)(end - line));
        const char *path = list ? memchr(list + 1, ':', (size_t)(end - list - 1)) : NULL;
        if (path && (version_1 ? has_memory(list + 1, path) : list + 1 == path))
            return memory_text(path + 1, (size_t)(end - path - 1));
        line = end + (*end != '\0');
    }
    return NULL;
}

struct mount {
    char root[MOUNT_FIELD_ROOM], point[MOUNT_FIELD_ROOM], type[64], options[MOUNT_FIELD_ROOM];
};

/* "30 25 0:26 ROOT POINT rw - cgroup2 cgroup2 rw,nsdelegate" */
static bool parse_mount(struct mount *mount, const char *line)
{
    const char *end = line + strcspn(line, "\n");
    char *copy = memory_text(line, (size_t)(end - line));
    const char *separator = strstr(copy, " - ");
    bool good = separator &&
                sscanf(copy, "%*s %*s %*s %1023s %1023s", mount->root, mount->point) == 2 &&
                sscanf(separator, " - %63s %*s %1023s", mount->type, mount->options) == 2;
    free(copy);
    return good;
}

static bool find_mount(struct mount *mount, const char *mounts, bool version_1)
{
    for (const char *line = mounts; *line;) {
        if (parse_mount(mount, line) &&
            strcmp(mount->type, version_1 ? "cgroup" : "cgroup2") == 0 &&
            (!version_1 || has_memory(mount->options, strchr(mount->options, '\0'))))
            return true;
        line += strcspn(line, "\n");
        line += *line != '\0';
    }
    return false;
}

char *cgroup_memory_path(const char *cgroup, const char *mounts, size_t *mount_length,
                         bool *version_1)
{
    struct mount mount;
    for (int i = 1; i >= 0; i--) {
        *version_1 = i == 1; /* where both are mounted, the first has memory if it is there */
        char *group = group_path(cgroup, *version_1);
        if (group && find_mount(&mount, mounts, *version_1)) {
            size_t root = strcmp(mount.root, "/") == 0 ? 0 : strlen(mount.root);
            bool below = strncmp(group, mount.root, root) == 0; /* else a namespace hides it */
            const char *rest = below ? group + root : "";
            char *path = memory_format("%s%s", mount.point, strcmp(rest, "/") == 0 ? "" : rest);
            *mount_length = strlen(mount.point);
            free(group);
            return path;
        }
        free(group);
    }
    return NULL;
}

/* A number in a file of a group; 0: there is none, or it is "max". */
static uint64_t group_number(const char *path, const char *name)
{
    char *file = memory_format("%s/%s", path, name), text[64] = "";
    FILE *stream = fopen(file, "re");
    if (stream && !fgets(text, sizeof(text), stream))
        text[0] = '\0';
    if (stream)
        fclose(stream);
    free(file);
    return strtoull(text, NULL, 10);
}

static struct cgroup_memory read_group(const char *path, bool version_1)
{
    struct cgroup_memory memory = {
        group_number(path, version_1 ? "memory.usage_in_bytes" : "memory.current"),
        group_number(path, version_1 ? "memory.limit_in_bytes" : "memory.max"),
    };
    if (memory.limit_bytes >= LIMIT_NONE)
        memory.limit_bytes = 0;
    return memory;
}

static uint64_t distance(const struct cgroup_memory *memory)
{
    if (memory->limit_bytes == 0)
        return UINT64_MAX;
    return memory->limit_bytes > memory->used_bytes ? memory->limit_bytes - memory->used_bytes : 0;
}

/* From the process's own group up to where groups are mounted. */
static struct cgroup_memory nearest_to_limit(char *path, size_t mount_length, bool version_1)
{
    struct cgroup_memory nearest = read_group(path, version_1);
    for (char *slash; (slash = strrchr(path, '/')) && slash >= path + mount_length;) {
        *slash = '\0';
        struct cgroup_memory outer = read_group(path, version_1);
        if (distance(&outer) < distance(&nearest))
            nearest = outer;
    }
    return nearest;
}

struct cgroup_memory cgroup_memory_read(const struct process_dir *dir)
{
    struct process_dir self; /* its mounts are those that paths lead through from here */
    struct cgroup_memory memory = {0};
    size_t size_bytes, mount_length;
    bool version_1;
    char *cgroup = process_dir_text(dir, "cgroup", &size_bytes), *mounts = NULL, *path = NULL;
    if (cgroup && process_dir_open(&self, getpid())) {
        mounts = process_dir_text(&self, "mountinfo", &size_bytes);
        process_dir_close(&self);
    }
    if (mounts)
        path = cgroup_memory_path(cgroup, mounts, &mount_length, &version_1);
    if (path)
        memory = nearest_to_limit(path, mount_length, version_1);
    free(path);
    free(mounts);
    free(cgroup);
    return memory;
}
