#include "preload/ground/arena.h"

#include "arena_nodes.h"
#include "scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum {
    PID = 77,
    MANY = 100000, /* nodes: past the fourth chunk */
    TEXT_BYTES = 3000
};

static void test_the_file(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX];
    struct stat found;
    struct box_view view;
    unsigned descriptors = scratch_descriptors();
    mode_t mask = umask(0);
    arena_nodes_open(PID);
    umask(mask);
    assert_int_equal(scratch_count(""), 1);
    assert_int_equal(lstat(scratch_path(path, "app.77.heapdiff"), &found), 0);
    assert_true(S_ISREG(found.st_mode));
    assert_int_equal(found.st_mode & 07777, 0600);
    assert_true((uint64_t)found.st_size == arena.file_bytes);
    assert_true((uint64_t)found.st_blocks * 512 >= arena.file_bytes); /* reserved, not only sized */
    assert_string_equal(arena.path, path);
    assert_int_equal(scratch_descriptors(), descriptors);
    arena_nodes_view(&view, "app.77.heapdiff");
    for (int id = 0; id < BOX_TABLES; id++)
        assert_int_equal(view.tables[id].count, 1); /* the sentinel */
}

static void test_contents_by_the_file(void **state)
{
    (void)state;
    struct box_view view;
    arena_nodes_open(PID);
    for (uint32_t i = 1; i <= MANY; i++)
        assert_true(arena_nodes_add(i - 1, 3 * i) == i);
    arena_nodes_view(&view, "app.77.heapdiff");
    assert_int_equal(view.tables[BOX_NODES].count, MANY + 1);
    assert_true(arena_nodes_have(&view, 0, 0, 0));
    for (uint32_t i = 1; i <= MANY; i++)
        assert_true(arena_nodes_have(&view, i, i - 1, 3 * i));
    assert_false(arena.header->flags & BOX_FLAG_SPILLED);
    arena_view(&view); /* the process's own view agrees */
    assert_int_equal(view.tables[BOX_NODES].count, MANY + 1);
    assert_true(arena_nodes_have(&view, MANY, MANY - 1, 3 * MANY));
    assert_true(arena_own_bytes() >= sizeof(struct box_node) * MANY);
    assert_true(arena_own_bytes() <= arena.file_bytes);
}

/* An entry counts only when it was published: its content is then there. */
static void test_publishing(void **state)
{
    (void)state;
    struct box_view view;
    arena_nodes_open(PID);
    assert_int_equal(arena_append(BOX_SITES, 1), 1);
    arena_view(&view);
    assert_null(box_view_entry(&view, BOX_SITES, 1));
    arena_publish(BOX_SITES);
    arena_view(&view);
    assert_non_null(box_view_entry(&view, BOX_SITES, 1));
}

static bool is_zeroed(const unsigned char *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* Texts of more than a chunk's rest begin in the next one: each is in one piece. */
static void test_neighbours_share_a_chunk(void **state)
{
    (void)state;
    struct box_view view;
    uint32_t texts[40];
    arena_nodes_open(PID);
    for (int i = 0; i < 40; i++) {
        texts[i] = arena_append(BOX_TEXT, TEXT_BYTES);
        assert_true(texts[i] >= (i ? texts[i - 1] + TEXT_BYTES : 1));
        unsigned char *text = arena_entry(BOX_TEXT, texts[i]);
        assert_ptr_equal(text + TEXT_BYTES - 1, arena_entry(BOX_TEXT, texts[i] + TEXT_BYTES - 1));
        assert_true(is_zeroed(text, TEXT_BYTES));
        memset(text, 'a' + i % 26, TEXT_BYTES - 1);
    }
    arena_publish(BOX_TEXT);
    arena_nodes_view(&view, "app.77.heapdiff");
    for (int i = 0; i < 40; i++) {
        const char *text = box_view_text(&view, texts[i]);
        assert_int_equal(strlen(text), TEXT_BYTES - 1);
        assert_int_equal(text[TEXT_BYTES - 2], 'a' + i % 26);
    }
    assert_int_equal(arena_append(BOX_TEXT, UINT32_MAX), 0);
    assert_int_equal(arena_append(BOX_PCS, 5000), 0); /* more than the next chunk holds */
}

static void test_taken_names(void **state)
{
    (void)state;
    struct box_view view;
    scratch_write("app.77.heapdiff", "of a dead process");
    arena_nodes_open(PID);
    assert_true(scratch_holds("app.77.heapdiff", "of a dead process"));
    arena_nodes_view(&view, "app.77.2.heapdiff");
    arena_nodes_open(PID);
    arena_nodes_view(&view, "app.77.3.heapdiff");
    assert_int_equal(scratch_count(""), 3);
}

static void test_links_are_not_followed(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX], target[SCRATCH_PATH_BYTES_MAX];
    scratch_write("precious", "content");
    assert_int_equal(
        symlink(scratch_path(target, "precious"), scratch_path(path, "app.77.heapdiff")), 0);
    assert_int_equal(symlink(scratch_path(target, "new"), scratch_path(path, "app.77.2.heapdiff")),
                     0);
    arena_nodes_open(PID);
    assert_true(scratch_has("app.77.3.heapdiff"));
    assert_true(scratch_holds("precious", "content"));
    assert_false(scratch_has("new"));
}

static void assert_cannot_open(const char *directory, const char *name, long want)
{
    long error = 0;
    assert_false(arena_open(directory, name, PID, &error));
    assert_int_equal(error, want);
}

static void test_no_file_to_be_had(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX], name[300];
    unsigned descriptors = scratch_descriptors();
    assert_cannot_open(scratch_path(path, "missing"), "app", -ENOENT);
    scratch_write("file", "");
    assert_cannot_open(scratch_path(path, "file"), "app", -ENOTDIR);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_cannot_open(scratch_path(path, "."), name, -ENAMETOOLONG);
    memset(path, '/', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_cannot_open(path, "app", -ENAMETOOLONG);
    assert_int_equal(scratch_count(""), 1);
    assert_int_equal(scratch_descriptors(), descriptors);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_before, scratch_after)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_file),          TEST(test_contents_by_the_file),
        TEST(test_publishing),        TEST(test_neighbours_share_a_chunk),
        TEST(test_taken_names),       TEST(test_links_are_not_followed),
        TEST(test_no_file_to_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
