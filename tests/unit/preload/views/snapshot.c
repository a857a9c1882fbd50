#include "preload/views/snapshot.h"

#include "format/box_profile.h"
#include "preload/ground/arena.h"
#include "preload/ground/options.h"

#include "buffer_sink.h"
#include "profile_file.h"
#include "scratch.h"
#include "snapshot_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* The same tables with the same facts, written another way. */
static void assert_is_the_truth(const char *name, const char *source, uint32_t snapshots)
{
    char path[SCRATCH_PATH_BYTES_MAX];
    size_t size_bytes;
    struct buffer_sink want;
    struct box_view view;
    const struct box_header *header = arena.header;
    struct box_profile_facts facts = {header->update_time_ns,
                                      header->rss_bytes,
                                      header->rss_peak_bytes,
                                      header->threads,
                                      source,
                                      NULL,
                                      NULL};
    unsigned char *bytes = profile_file_read(scratch_path(path, name), &size_bytes);
    assert_non_null(bytes);
    arena_view(&view);
    arena.header->snapshots = snapshots;
    buffer_sink_open(&want, 0);
    assert_true(box_profile_write(&view, &facts, &want.sink));
    assert_int_equal(size_bytes, want.size_bytes);
    assert_memory_equal(bytes, want.bytes, size_bytes);
    buffer_sink_free(&want);
    free(bytes);
}

static void test_the_file_is_the_tables(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX];
    struct stat found;
    unsigned descriptors = scratch_descriptors();
    mode_t mask = umask(0);
    uint32_t before = arena.header->snapshots;
    assert_int_equal(snapshot_take("test", NULL), 0);
    umask(mask);
    assert_int_equal(arena.header->snapshots, before + 1);
    assert_int_equal(scratch_count(""), 1);
    assert_int_equal(scratch_descriptors(), descriptors);
    assert_is_the_truth("app.4711.1.prof", "test", before);
    assert_true(snapshot_scene_says("app.4711.1.prof", "heapdiff.pid: 4711"));
    assert_true(snapshot_scene_says("app.4711.1.prof", "heapdiff.source: test"));
    assert_true(snapshot_scene_says("app.4711.1.prof", "inuse_space"));
    assert_true(arena.header->rss_bytes > 0 && arena.header->own_bytes > 0);
    assert_int_equal(lstat(scratch_path(path, "app.4711.1.prof"), &found), 0);
    assert_int_equal(found.st_mode, S_IFREG | 0644);
}

static void test_a_path_of_ones_own(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX];
    scratch_write("mine %c.prof", "old");
    assert_int_equal(snapshot_take("api", scratch_path(path, "mine %c.prof")), 0);
    assert_true(snapshot_scene_says("mine %c.prof", "heapdiff.source: api"));
    assert_int_equal(snapshot_take("test", NULL), 0);
    assert_true(scratch_has("app.4711.1.prof")); /* it does not count */
    assert_int_equal(scratch_count(""), 2);
}

static void test_taken_names_are_skipped(void **state)
{
    (void)state;
    scratch_write("app.4711.1.prof", "of another process");
    scratch_write("app.4711.3.prof", "of another process");
    assert_int_equal(snapshot_take("test", NULL), 0);
    assert_int_equal(snapshot_take("test", NULL), 0);
    assert_true(scratch_holds("app.4711.1.prof", "of another process"));
    assert_true(scratch_holds("app.4711.3.prof", "of another process"));
    assert_true(snapshot_scene_says("app.4711.2.prof", "heapdiff.source: test"));
    assert_true(snapshot_scene_says("app.4711.4.prof", "heapdiff.source: test"));
    assert_int_equal(scratch_count(""), 4);
}

static void test_without_counter_the_last_one_stays(void **state)
{
    (void)state;
    snapshot_scene_pattern("%n.prof");
    scratch_write("app.prof", "old");
    options.keep = 1; /* has nothing to delete */
    assert_int_equal(snapshot_take("first", NULL), 0);
    assert_true(snapshot_scene_says("app.prof", "heapdiff.source: first"));
    assert_int_equal(snapshot_take("second", NULL), 0);
    assert_true(snapshot_scene_says("app.prof", "heapdiff.source: second"));
    assert_int_equal(scratch_count(""), 1);
}

static void test_keep(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX];
    options.keep = 2;
    scratch_write("app.4711.2.prof", "of another process");
    for (int i = 0; i < 5; i++) /* 1, 3, 4, 5, 6 */
        assert_int_equal(snapshot_take("test", NULL), 0);
    assert_int_equal(snapshot_take("api", scratch_path(path, "mine.prof")), 0);
    assert_true(scratch_holds("app.4711.2.prof", "of another process"));
    assert_true(scratch_has("app.4711.5.prof"));
    assert_true(scratch_has("app.4711.6.prof"));
    assert_true(scratch_has("mine.prof"));
    assert_int_equal(scratch_count(""), 4);
}

/* What lies at the temporary's name is of an earlier life of this pid; a link is not followed. */
static void test_temporary(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX], link[SCRATCH_PATH_BYTES_MAX];
    scratch_write("precious", "content");
    scratch_path(path, "precious");
    assert_int_equal(symlink(path, scratch_path(link, "app.4711.1.prof.4711.tmp")), 0);
    assert_int_equal(snapshot_take("test", NULL), 0);
    assert_true(scratch_holds("precious", "content"));
    assert_true(snapshot_scene_says("app.4711.1.prof", "heapdiff.source: test"));
    assert_int_equal(scratch_count(""), 2);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, snapshot_scene_reset, snapshot_scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_file_is_the_tables),
        TEST(test_a_path_of_ones_own),
        TEST(test_taken_names_are_skipped),
        TEST(test_without_counter_the_last_one_stays),
        TEST(test_keep),
        TEST(test_temporary),
    };
    return cmocka_run_group_tests(tests, snapshot_scene_start, NULL);
}
