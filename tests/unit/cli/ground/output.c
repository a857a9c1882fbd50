#include "cli/ground/output.h"

#include "scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static bool write_text(struct output *output, const char *text)
{
    return output->sink.write(&output->sink, text, strlen(text));
}

static bool put(const char *path, const char *text, enum output_mode mode)
{
    struct output output;
    if (!output_open(&output, path))
        return false;
    write_text(&output, text);
    return output_commit(&output, mode);
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

static void appears_whole(void **state)
{
    (void)state;
    struct output output;
    scratch_write("out", "old", 3);
    assert_true(output_open(&output, "out"));
    assert_true(write_text(&output, "new "));
    fprintf(output.file, "content");
    expect_content("out", "old");
    assert_true(output_commit(&output, OUTPUT_REPLACE));
    expect_content("out", "new content");
    assert_int_equal(scratch_count(), 1);
}

static void packed_file_is_gzip(void **state)
{
    (void)state;
    struct output output;
    char text[32] = "";
    assert_true(output_open(&output, "out"));
    output_pack(&output);
    assert_true(write_text(&output, "new content"));
    assert_true(output_commit(&output, OUTPUT_NEW));
    gzFile file = gzopen("out", "rb");
    assert_int_equal(gzread(file, text, sizeof(text)), 11);
    assert_int_equal(gzdirect(file), 0);
    gzclose(file);
    assert_string_equal(text, "new content");
}

static void taken_name_is_left_alone(void **state)
{
    (void)state;
    scratch_write("out", "old", 3);
    assert_false(put("out", "new", OUTPUT_NEW));
    assert_int_equal(errno, EEXIST);
    expect_content("out", "old");
    assert_int_equal(scratch_count(), 1);
}

static void abandoned_leaves_nothing(void **state)
{
    (void)state;
    struct output output;
    assert_true(output_open(&output, "out"));
    assert_true(write_text(&output, "x"));
    output_abandon(&output);
    assert_int_equal(scratch_count(), 0);
}

static void permissions_are_as_usual(void **state)
{
    (void)state;
    struct stat status;
    mode_t mask = umask(027);
    assert_true(put("file", "", OUTPUT_REPLACE));
    assert_int_equal(stat("file", &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_int_equal(chmod("file", 0600), 0);
    assert_true(put("file", "again", OUTPUT_REPLACE));
    assert_int_equal(stat("file", &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    umask(mask);
}

static void follows_a_link(void **state)
{
    (void)state;
    struct stat status;
    assert_true(put("file", "old", OUTPUT_REPLACE));
    assert_int_equal(symlink("file", "link"), 0);
    assert_true(put("link", "new", OUTPUT_REPLACE));
    expect_content("file", "new");
    assert_int_equal(lstat("link", &status), 0);
    assert_true(S_ISLNK(status.st_mode));
}

static void devices_stay_devices(void **state)
{
    (void)state;
    struct stat status;
    assert_true(put("/dev/null", "text", OUTPUT_REPLACE));
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
    assert_false(put("/dev/full", "text", OUTPUT_REPLACE));
    assert_int_equal(errno, ENOSPC);
}

static void what_cannot_be_written_is_told(void **state)
{
    (void)state;
    assert_false(put("", "", OUTPUT_REPLACE));
    assert_int_equal(errno, ENOENT);
    assert_false(put("absent/out", "", OUTPUT_REPLACE));
    assert_int_equal(errno, ENOENT);
    assert_false(put(".", "", OUTPUT_REPLACE));
    assert_int_equal(errno, EISDIR);
}

/* Any name a file can have: the temporary one must not be longer. */
static void longest_name(void **state)
{
    (void)state;
    char name[256];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_true(put(name, "text", OUTPUT_NEW));
    expect_content(name, "text");
}

static void signals_leave_nothing(void **state)
{
    (void)state;
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            struct output output;
            signal(numbers[i], SIG_DFL);
            if (output_open(&output, "out") && write_text(&output, "half"))
                raise(numbers[i]);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), numbers[i]);
        assert_int_equal(scratch_count(), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(appears_whole),
        TEST(packed_file_is_gzip),
        TEST(taken_name_is_left_alone),
        TEST(abandoned_leaves_nothing),
        TEST(permissions_are_as_usual),
        TEST(follows_a_link),
        TEST(devices_stay_devices),
        TEST(what_cannot_be_written_is_told),
        TEST(longest_name),
        TEST(signals_leave_nothing),
    };
    return cmocka_run_group_tests_name("cli/output", tests, NULL, NULL);
}
