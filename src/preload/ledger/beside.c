#include "beside.h"

#include "preload/ground/proc.h"
#include "preload/ground/text.h"

#include <string.h>

enum {
    BESIDE_LINE_BYTES = 1024,
    BESIDE_PATH_BYTES = 1280 /* a group's, with what stands before and behind it */
};

/* Where the memory controller keeps a group's figures; the kernel's names in version 1 and 2. */
struct group_files {
    const char *root;
    const char *use;
    const char *limit;
};

/* What a limit is that limits nothing: version 1 has the largest number of pages for it. */
#define GROUP_UNLIMITED (1ull << 62)

struct group {
    uint64_t use_bytes;
    uint64_t limit_bytes; /* 0: none */
};

static bool read_number(const char *directory, const char *name, uint64_t *number)
{
    char path[BESIDE_PATH_BYTES], text[32];
    struct text full = text_on(path, sizeof(path));
    struct proc_lines lines;
    text_put(&full, directory);
    text_put(&full, name);
    if (full.cut || !proc_lines_open(&lines, path, text, sizeof(text)))
        return false;
    const char *line = proc_lines_next(&lines);
    bool found = line && text_read_number(&line, number); /* "max" is none */
    proc_lines_close(&lines);
    return found;
}

static uint64_t group_distance(const struct group *group)
{
    if (group->limit_bytes == 0)
        return UINT64_MAX;
    return group->limit_bytes > group->use_bytes ? group->limit_bytes - group->use_bytes : 0;
}

/* Takes the group in `directory` when it is the first, or nearer to its limit than the one so far. Of those above the
   first, most have no limit, and are not asked for more. */
static void group_consider(const char *directory, const struct group_files *files,
                           struct group *nearest)
{
    struct group group = {0};
    if (!read_number(directory, files->limit, &group.limit_bytes) ||
        group.limit_bytes >= GROUP_UNLIMITED)
        group.limit_bytes = 0;
    if ((nearest->use_bytes > 0 && group.limit_bytes == 0) ||
        !read_number(directory, files->use, &group.use_bytes))
        return;
    if (nearest->use_bytes == 0 || group_distance(&group) < group_distance(nearest))
        *nearest = group;
}

/* From the process's own group up to the root: a limit of any of them is one. In a container the path may be
   one that only its host sees; then the root is the container's group. */
static void group_search(const char *path, const struct group_files *files, struct group *nearest)
{
    char directory[BESIDE_LINE_BYTES];
    struct text text = text_on(directory, sizeof(directory));
    size_t root = strlen(files->root);
    text_put(&text, files->root);
    text_put(&text, path);
    if (text.cut)
        return;
    for (;;) {
        char *end = directory + strlen(directory);
        while (end > directory + root && end[-1] == '/')
            *--end = '\0';
        group_consider(directory, files, nearest);
        char *slash = strrchr(directory + root, '/');
        if (!slash)
            return;
        *slash = '\0';
    }
}

/* "NUMBER:CONTROLLERS:PATH"; the path of the memory controller's group in version 1. */
static bool has_memory(const char *controllers, size_t length)
{
    for (const char *at = controllers, *end = controllers + length; at < end;) {
        size_t word = strcspn(at, ",:");
        if (word == 6 && strncmp(at, "memory", word) == 0)
            return true;
        at += word + 1;
    }
    return false;
}

static void group_line(const char *line, struct group *nearest)
{
    static const struct group_files one = {"/sys/fs/cgroup/memory", "/memory.usage_in_bytes",
                                           "/memory.limit_in_bytes"};
    static const struct group_files two[] = {
        {"/sys/fs/cgroup", "/memory.current", "/memory.max"},
        {"/sys/fs/cgroup/unified", "/memory.current", "/memory.max"},
    };
    const char *controllers = strchr(line, ':');
    const char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path)
        return;
    controllers++;
    if (has_memory(controllers, (size_t)(path - controllers))) {
        group_search(path + 1, &one, nearest);
    } else if (strncmp(line, "0::", 3) == 0) { /* the last line; a controller is in one version */
        for (int i = 0; i < 2 && nearest->use_bytes == 0; i++)
            group_search(path + 1, &two[i], nearest);
    }
}

static void measure_group(struct ledger *ledger)
{
    char buffer[BESIDE_LINE_BYTES];
    struct proc_lines lines;
    struct group nearest = {0};
    if (!proc_lines_open(&lines, "/proc/self/cgroup", buffer, sizeof(buffer)))
        return;
    for (char *line; (line = proc_lines_next(&lines));)
        group_line(line, &nearest);
    proc_lines_close(&lines);
    if (nearest.use_bytes == 0)
        return;
    ledger->cgroup_bytes = nearest.use_bytes;
    ledger->cgroup_limit_bytes = nearest.limit_bytes;
}

void beside_measure(const struct residency *residency, struct ledger *ledger)
{
    const struct residency_figures *figures = &residency->figures;
    ledger->page_table_bytes = residency->status.page_table_bytes;
    ledger->swap_bytes = residency->status.swap_bytes;
    ledger->hugetlb_bytes = residency->status.hugetlb_bytes;
    if (figures->summed) {
        ledger->swap_bytes = figures->swap_bytes;
        ledger->hugetlb_bytes = figures->hugetlb_bytes;
        ledger->pss_bytes = figures->pss_bytes;
        ledger->uss_bytes = figures->private_clean_bytes + figures->private_dirty_bytes;
        ledger->lazy_free_bytes = figures->lazy_free_bytes;
        ledger->huge_page_bytes = figures->huge_bytes;
    }
    measure_group(ledger);
}
