#include "cli/output.h"

#include "scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static bool write_text(struct output *output, const char *text)
{
    return output->sink.write(&output->sink, text, strlen(text));
}

static void packed_file_appears_whole(void **state)
{
    (void)state;
    struct output output;
    char text[32] = "";
    scratch_write("out", "old", 3);
    assert_true(output_open(&output, "out", 0644, OUTPUT_PACKED));
    assert_true(write_text(&output, "new content"));
    assert_int_equal(scratch_size("out"), 3);
    assert_true(output_commit(&output, OUTPUT_REPLACE));
    assert_int_equal(scratch_count(), 1);
    gzFile file = gzopen("out", "rb");
    assert_int_equal(gzread(file, text, sizeof(text)), 11);
    assert_int_equal(gzdirect(file), 0);
    gzclose(file);
    assert_string_equal(text, "new content");
}

static void plain_file_is_as_given(void **state)
{
    (void)state;
    struct output output;
    assert_true(output_open(&output, "out", 0600, OUTPUT_AS_IS));
    assert_true(write_text(&output, "12345"));
    assert_true(output_commit(&output, OUTPUT_NEW));
    assert_int_equal(scratch_size("out"), 5);
}

static void taken_name_is_left_alone(void **state)
{
    (void)state;
    struct output output;
    scratch_write("out", "old", 3);
    assert_true(output_open(&output, "out", 0644, OUTPUT_PACKED));
    assert_false(output_commit(&output, OUTPUT_NEW));
    assert_int_equal(errno, EEXIST);
    assert_int_equal(scratch_size("out"), 3);
    assert_int_equal(scratch_count(), 1);
}

static void abandoned_leaves_nothing(void **state)
{
    (void)state;
    struct output output;
    assert_true(output_open(&output, "out", 0644, OUTPUT_PACKED));
    assert_true(write_text(&output, "x"));
    output_abandon(&output);
    assert_int_equal(scratch_count(), 0);
}

static void what_cannot_be_written_is_told(void **state)
{
    (void)state;
    struct output output;
    struct stat status;
    assert_false(output_open(&output, "absent/out", 0644, OUTPUT_PACKED));
    assert_int_equal(errno, ENOENT);
    assert_true(output_open(&output, "/dev/full", 0644, OUTPUT_PACKED));
    write_text(&output, "x");
    assert_false(output_commit(&output, OUTPUT_REPLACE));
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(stat("/dev/full", &status), 0);
    assert_true(S_ISCHR(status.st_mode)); /* it was not replaced */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(packed_file_appears_whole),      TEST(plain_file_is_as_given),
        TEST(taken_name_is_left_alone),       TEST(abandoned_leaves_nothing),
        TEST(what_cannot_be_written_is_told),
    };
    return cmocka_run_group_tests_name("cli/output", tests, NULL, NULL);
}
