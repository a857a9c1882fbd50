#include "cli/process/box_file.h"

#include "box_sample.h"
#include "cli/process/box_search.h"
#include "cli/profile/profile.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* Writes the box of a process that has ended. */
static void write_box(const char *path, int pid, uint64_t start_time_ns, const char *name)
{
    struct box_sample sample;
    box_sample_open(&sample);
    box_sample_fill(&sample);
    /* What its threads had counted when it was killed. */
    struct box_lot lot = {.site = 3, .size_bytes = 50};
    struct box_delta delta = {.lot = box_sample_add(&sample, BOX_LOTS, &lot), .allocs = 2};
    box_sample_add(&sample, BOX_DELTAS, &delta);
    sample.header->pid = pid;
    sample.header->start_ticks = 1;
    sample.header->start_time_ns = start_time_ns;
    strcpy(sample.header->name, name);
    scratch_write(path, sample.bytes, sample.size_bytes);
    box_sample_free(&sample);
}

static int64_t value_sum(const struct profile *profile, const char *type)
{
    int64_t sum = 0;
    for (size_t i = 0; i < profile->sample_count; i++)
        sum += profile->samples[i].values[profile_type(profile, type)];
    return sum;
}

static void profile_is_made(void **state)
{
    (void)state;
    struct box_file box;
    const char *reason;
    write_box("a.heapdiff", 77, 5, "app");
    assert_null(box_file_open(&box, "a.heapdiff"));
    assert_int_equal(box_file_process(&box), 0);
    struct box_profile_facts facts = box_file_facts(&box, NULL);
    assert_true(facts.time_ns > 1000000000u);
    char *path = box_file_save(&box, &facts, NULL);
    assert_string_equal(path, "app.77.1.prof");
    struct profile *profile = profile_load(path, &reason);
    assert_non_null(profile);
    assert_int_equal(profile->sample_count, 3);
    assert_int_equal(value_sum(profile, "alloc_space"), 1000 + 4096 + 2 * 50);
    assert_int_equal(value_sum(profile, "inuse_space"), 600 + 4096 + 2 * 50);
    assert_string_equal(profile_fact(profile, "source"), "black box");
    profile_free(profile);
    free(path);
    path = box_file_save(&box, &facts, NULL);
    assert_string_equal(path, "app.77.2.prof");
    free(path);
    box_file_close(&box);
}

static void hostile_names_stay_here(void **state)
{
    (void)state;
    struct box_file box;
    write_box("a.heapdiff", 77, 5, "../../etc/\x1b[2J");
    assert_null(box_file_open(&box, "a.heapdiff"));
    assert_string_equal(box.program, "_._.._etc__[2J");
    box_file_close(&box);
    write_box("a.heapdiff", 77, 5, "");
    assert_null(box_file_open(&box, "a.heapdiff"));
    assert_string_equal(box.program, "unnamed");
    box_file_close(&box);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    struct box_file box;
    scratch_write("empty", "", 0);
    scratch_write("text", "hello world, this is not it", 27);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_non_null(box_file_open(&box, "absent"));
    assert_string_equal(box_file_open(&box, "empty"), "empty");
    assert_string_equal(box_file_open(&box, "text"), "not a black box");
    assert_non_null(box_file_open(&box, "fifo"));
    assert_non_null(box_file_open(&box, "."));
}

/* Whoever may write to the directory may cut the file while it is mapped. */
static void cut_box_ends_the_command(void **state)
{
    (void)state;
    int status = 0;
    write_box("a.heapdiff", 77, 5, "app");
    pid_t child = fork();
    if (child == 0) {
        struct box_file box;
        if (box_file_open(&box, "a.heapdiff") || truncate("a.heapdiff", 0) != 0 ||
            !freopen("/dev/null", "w", stderr))
            _exit(9);
        struct box_profile_facts facts = {.source = "black box"};
        box_file_save(&box, &facts, "out.prof");
        _exit(8);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_int_equal(scratch_count(), 1); /* the box: nothing half made */
}

static void only_the_same_file_is_deleted(void **state)
{
    (void)state;
    struct box_file box;
    write_box("a.heapdiff", 77, 5, "app");
    assert_null(box_file_open(&box, "a.heapdiff"));
    assert_int_equal(rename("a.heapdiff", "b.heapdiff"), 0);
    write_box("a.heapdiff", 78, 5, "app");
    assert_false(box_file_delete(&box));
    assert_int_equal(rename("b.heapdiff", "a.heapdiff"), 0);
    assert_true(box_file_delete(&box));
    assert_int_equal(scratch_count(), 0);
    box_file_close(&box);
}

static void newest_of_a_pid_is_found(void **state)
{
    (void)state;
    struct box_file box;
    write_box("app.999999.heapdiff", 999999, 5, "old");
    write_box("app.999999.2.heapdiff", 999999, 6, "young");
    write_box("other.heapdiff", 999998, 7, "other");
    scratch_write("broken.heapdiff", "heapdiff-box-1\n", 16);
    assert_null(box_search_pid(&box, 999999));
    assert_string_equal(box.program, "young");
    box_file_close(&box);
    assert_non_null(box_search_pid(&box, 999997));
}

static void processes_without_box_are_told(void **state)
{
    (void)state;
    struct box_file box;
    struct process process;
    assert_true(process_read(&process, getpid()));
    const char *reason = box_search_process(&box, &process);
    assert_non_null(reason);
    assert_non_null(strstr(reason, "not preloaded"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(profile_is_made),
        TEST(hostile_names_stay_here),
        TEST(other_files_are_refused),
        TEST(only_the_same_file_is_deleted),
        TEST(newest_of_a_pid_is_found),
        TEST(cut_box_ends_the_command),
        TEST(processes_without_box_are_told),
    };
    return cmocka_run_group_tests_name("cli/box_file", tests, NULL, NULL);
}
