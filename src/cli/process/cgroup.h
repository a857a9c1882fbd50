/*
 * cgroup.h - the memory that a process's control groups use, and may use.
 *
 * What it is: of the group a process is in and those around it, the one that is nearest to its limit.
 * Owns: nothing. Context: cli; versions 1 and 2. Not here: RSS, which is another quantity.
 */
#ifndef HEAPDIFF_CLI_CGROUP_H
#define HEAPDIFF_CLI_CGROUP_H

#include "process_dir.h"

struct cgroup_memory {
    uint64_t used_bytes;  /* 0: not known */
    uint64_t limit_bytes; /* 0: none */
};

/* Of the group nearest to its limit; without limits, of the process's own group. */
struct cgroup_memory cgroup_memory_read(const struct process_dir *dir);

/*
 * Where the group of `cgroup` (a text of /proc/PID/cgroup) lies, by `mounts` (of /proc/PID/mountinfo):
 * the directory, malloc'd, how much of it is the mount, and which version; NULL: no such group.
 */
char *cgroup_memory_path(const char *cgroup, const char *mounts, size_t *mount_length,
                         bool *version_1);

#endif
