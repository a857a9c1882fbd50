#include "cli/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/target-test-XXXXXX";

static int directory_make(void **state)
{
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    return mkdtemp(directory) == NULL || chdir(directory) != 0;
}

static int directory_remove(void **state)
{
    (void)state;
    DIR *listing = opendir(".");
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        unlink(entry->d_name);
    closedir(listing);
    return chdir("/") != 0 || rmdir(directory) != 0;
}

static size_t files(void)
{
    size_t count = 0;
    DIR *listing = opendir(".");
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(listing);
    return count;
}

static void expect_content(const char *path, const char *expected)
{
    char content[100] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    content[fread(content, 1, sizeof(content) - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(content, expected);
}

static bool put(const char *path, const char *text, bool good)
{
    struct target target;
    if (!target_open(&target, path))
        return false;
    bool written = target.sink.write(&target.sink, text, strlen(text));
    return target_close(&target, written && good);
}

static void test_appears_whole(void **state)
{
    (void)state;
    struct target target;
    assert_true(target_open(&target, "new"));
    assert_true(target.sink.write(&target.sink, "text", 4));
    assert_int_equal(access("new", F_OK), -1);
    assert_true(target_close(&target, true));
    expect_content("new", "text");
    assert_int_equal(files(), 1);
}

static void test_failure_leaves_the_old_file(void **state)
{
    (void)state;
    assert_true(put("file", "old", true));
    assert_false(put("file", "half of the ne", false));
    expect_content("file", "old");
    assert_int_equal(files(), 1);
}

static void test_permissions(void **state)
{
    (void)state;
    struct stat status;
    mode_t mask = umask(027);
    assert_true(put("file", "", true));
    assert_int_equal(stat("file", &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_int_equal(chmod("file", 0600), 0);
    assert_true(put("file", "again", true));
    assert_int_equal(stat("file", &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    umask(mask);
}

static void test_follows_a_link(void **state)
{
    (void)state;
    struct stat status;
    assert_true(put("file", "old", true));
    assert_int_equal(symlink("file", "link"), 0);
    assert_true(put("link", "new", true));
    expect_content("file", "new");
    assert_int_equal(lstat("link", &status), 0);
    assert_true(S_ISLNK(status.st_mode));
}

static void test_devices_stay_devices(void **state)
{
    (void)state;
    struct stat status;
    assert_true(put("/dev/null", "text", true));
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
    if (access("/dev/full", W_OK) == 0) {
        assert_false(put("/dev/full", "text", true));
        assert_int_equal(errno, ENOSPC);
    }
}

static void test_bad_places(void **state)
{
    (void)state;
    assert_false(put("no/such/directory", "", true));
    assert_int_equal(errno, ENOENT);
    assert_false(put(".", "", true));
    assert_int_equal(errno, EISDIR);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, directory_make, directory_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(test_appears_whole),        IN_DIRECTORY(test_failure_leaves_the_old_file),
        IN_DIRECTORY(test_permissions),          IN_DIRECTORY(test_follows_a_link),
        IN_DIRECTORY(test_devices_stay_devices), IN_DIRECTORY(test_bad_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
