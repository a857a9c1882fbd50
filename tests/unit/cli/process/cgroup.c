#include "cli/process/cgroup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char V2[] = "30 25 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
static const char V1[] =
    "24 1 0:20 / /proc rw - proc proc rw\n"
    "35 30 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "36 30 0:32 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
    "37 30 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
static const char CONTAINER[] =
    "36 30 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

static void check(const char *cgroup, const char *mounts, const char *expected, size_t mount_length)
{
    size_t length = 0;
    bool version_1;
    char *path = cgroup_memory_path(cgroup, mounts, &length, &version_1);
    if (!expected) {
        assert_null(path);
        return;
    }
    assert_non_null(path);
    assert_string_equal(path, expected);
    assert_int_equal(length, mount_length);
    assert_int_equal(version_1, mounts != V2);
    free(path);
}

static void groups_are_found(void **state)
{
    (void)state;
    check("0::/user.slice/a\n", V2, "/sys/fs/cgroup/user.slice/a", strlen("/sys/fs/cgroup"));
    check("0::/\n", V2, "/sys/fs/cgroup", strlen("/sys/fs/cgroup"));
    check("5:cpu:/b\n4:memory:/a\n0::/\n", V1, "/sys/fs/cgroup/memory/a",
          strlen("/sys/fs/cgroup/memory"));
    check("4:hugetlb,memory:/docker/abc/x\n", CONTAINER, "/sys/fs/cgroup/memory/x",
          strlen("/sys/fs/cgroup/memory"));
    check("4:memory:/elsewhere\n", CONTAINER, "/sys/fs/cgroup/memory",
          strlen("/sys/fs/cgroup/memory"));
}

static void others_are_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n", ":", "4:memory", "4:memories:/a\n", "x\n\n:"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check(texts[i], V1, NULL, 0);
    check("0::/a\n", "", NULL, 0);
    check("0::/a\n", "30 25 0:26 - cgroup2\n - cgroup2 \n1 2 3 4 5\n", NULL, 0);
}

static void own_group_can_be_read(void **state)
{
    (void)state;
    struct process_dir dir = {.fd = -1};
    struct cgroup_memory memory = cgroup_memory_read(&dir);
    assert_int_equal(memory.used_bytes, 0);
    assert_int_equal(memory.limit_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_found),
        cmocka_unit_test(others_are_none),
        cmocka_unit_test(own_group_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
