#include "preload/arena.h"

#include "child.h"
#include "said.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum {
    PID = 77,
    MANY = 100000, /* nodes: past the fourth chunk */
    TEXT_BYTES = 3000
};

static int before_each(void **state)
{
    (void)state;
    scratch_make();
    return 0;
}

static int after_each(void **state)
{
    (void)state;
    scratch_remove();
    return 0;
}

static void open_box(void)
{
    char path[SCRATCH_PATH_BYTES_MAX];
    long error = 0;
    scratch_path(path, "");
    path[strlen(path) - 1] = '\0';
    assert_true(arena_open(path, "app", PID, &error));
    arena.header->state = BOX_STATE_RUNNING;
}

/* Appends a node with these numbers; its index. */
static uint32_t add_node(uint32_t parent, uint32_t pc)
{
    uint32_t index = arena_append(BOX_NODES, 1);
    if (index == BOX_NONE)
        return BOX_NONE;
    *(struct box_node *)arena_entry(BOX_NODES, index) = (struct box_node){parent, pc};
    arena_publish(BOX_NODES);
    return index;
}

static bool node_is(const struct box_view *view, uint32_t index, uint32_t parent, uint32_t pc)
{
    const struct box_node *node = box_view_entry(view, BOX_NODES, index);
    return node && node->parent == parent && node->pc == pc;
}

/* The bytes of a file of the scratch directory, mapped; the mapping stays. */
static const void *file_bytes(const char *name, size_t *size_bytes)
{
    char path[SCRATCH_PATH_BYTES_MAX];
    struct stat found;
    int fd = open(scratch_path(path, name), O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &found), 0);
    *size_bytes = (size_t)found.st_size;
    void *bytes = mmap(NULL, *size_bytes, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(bytes != MAP_FAILED);
    close(fd);
    return bytes;
}

static void open_view(struct box_view *view, const char *name)
{
    size_t size_bytes;
    const void *bytes = file_bytes(name, &size_bytes);
    const char *reason = box_view_open(view, bytes, size_bytes);
    if (reason)
        fail_msg("%s: %s", name, reason);
}

static void test_the_file(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX];
    struct stat found;
    struct box_view view;
    unsigned descriptors = scratch_descriptors();
    mode_t mask = umask(0);
    open_box();
    umask(mask);
    assert_int_equal(scratch_count(""), 1);
    assert_int_equal(lstat(scratch_path(path, "app.77.heapdiff"), &found), 0);
    assert_true(S_ISREG(found.st_mode));
    assert_int_equal(found.st_mode & 07777, 0600);
    assert_true((uint64_t)found.st_size == arena.file_bytes);
    assert_true((uint64_t)found.st_blocks * 512 >= arena.file_bytes); /* reserved, not only sized */
    assert_string_equal(arena.path, path);
    assert_int_equal(scratch_descriptors(), descriptors);
    open_view(&view, "app.77.heapdiff");
    for (int id = 0; id < BOX_TABLES; id++)
        assert_int_equal(view.tables[id].count, 1); /* the sentinel */
}

static void test_contents_by_the_file(void **state)
{
    (void)state;
    struct box_view view;
    open_box();
    for (uint32_t i = 1; i <= MANY; i++)
        assert_true(add_node(i - 1, 3 * i) == i);
    open_view(&view, "app.77.heapdiff");
    assert_int_equal(view.tables[BOX_NODES].count, MANY + 1);
    assert_true(node_is(&view, 0, 0, 0));
    for (uint32_t i = 1; i <= MANY; i++)
        assert_true(node_is(&view, i, i - 1, 3 * i));
    assert_false(arena.header->flags & BOX_FLAG_SPILLED);
    arena_view(&view); /* the process's own view agrees */
    assert_int_equal(view.tables[BOX_NODES].count, MANY + 1);
    assert_true(node_is(&view, MANY, MANY - 1, 3 * MANY));
    assert_true(arena_own_bytes() >= sizeof(struct box_node) * MANY);
    assert_true(arena_own_bytes() <= arena.file_bytes);
}

/* An entry counts only when it was published: its content is then there. */
static void test_publishing(void **state)
{
    (void)state;
    struct box_view view;
    open_box();
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
    open_box();
    for (int i = 0; i < 40; i++) {
        texts[i] = arena_append(BOX_TEXT, TEXT_BYTES);
        assert_true(texts[i] >= (i ? texts[i - 1] + TEXT_BYTES : 1));
        unsigned char *text = arena_entry(BOX_TEXT, texts[i]);
        assert_ptr_equal(text + TEXT_BYTES - 1, arena_entry(BOX_TEXT, texts[i] + TEXT_BYTES - 1));
        assert_true(is_zeroed(text, TEXT_BYTES));
        memset(text, 'a' + i % 26, TEXT_BYTES - 1);
    }
    arena_publish(BOX_TEXT);
    open_view(&view, "app.77.heapdiff");
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
    open_box();
    assert_true(scratch_holds("app.77.heapdiff", "of a dead process"));
    open_view(&view, "app.77.2.heapdiff");
    open_box();
    open_view(&view, "app.77.3.heapdiff");
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
    open_box();
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

static void test_private_memory(void **state)
{
    (void)state;
    long error = 0;
    struct box_view view;
    assert_true(arena_open(NULL, "app", PID, &error));
    assert_string_equal(arena.path, "");
    for (uint32_t i = 1; i <= MANY; i++)
        add_node(i - 1, i);
    arena_view(&view);
    assert_true(node_is(&view, MANY, MANY - 1, MANY));
    assert_false(arena.header->flags & BOX_FLAG_SPILLED);
    assert_true(arena_renew("app", PID + 1));
    assert_true(node_is(&view, MANY, MANY - 1, MANY));
    arena_unlink();
    assert_int_equal(scratch_count(""), 0);
}

/* Unless it is refused before the kernel is asked, growing would raise SIGXFSZ: fatal here. */
static bool fill_a_limited_file(void)
{
    struct box_view view;
    rlim_t limit = arena.file_bytes + 4096;
    signal(SIGXFSZ, SIG_DFL);
    if (!child_expect(setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, limit}) == 0))
        return false;
    for (uint32_t i = 1; i <= MANY; i++)
        if (add_node(i - 1, i) != i)
            return child_expect(false);
    arena_view(&view);
    for (uint32_t i = 1; i <= MANY; i++)
        if (!node_is(&view, i, i - 1, i))
            return child_expect(false);
    return child_expect(arena.header->flags & BOX_FLAG_SPILLED);
}

static void test_file_size_limit(void **state)
{
    (void)state;
    struct box_view view;
    open_box();
    said_begin();
    bool good = child_run(fill_a_limited_file);
    const char *text = said_end();
    assert_int_equal(said_lines(text), 1); /* also when told of what went wrong in the child */
    assert_true(good);
    open_view(&view, "app.77.heapdiff");
    assert_true(view.header->flags & BOX_FLAG_SPILLED);
    assert_true(node_is(&view, 100, 99, 100)); /* what fits is there */
    assert_null(box_view_entry(&view, BOX_NODES, MANY));
}

static bool open_without_any_room(void)
{
    char path[SCRATCH_PATH_BYTES_MAX];
    long error = 0;
    signal(SIGXFSZ, SIG_DFL);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096});
    return child_expect(!arena_open(scratch_path(path, "."), "app", PID, &error)) &&
           child_expect(error == -EFBIG);
}

static void test_file_size_limit_from_the_start(void **state)
{
    (void)state;
    assert_true(child_run(open_without_any_room));
    assert_int_equal(scratch_count(""), 0);
}

static void test_unlink(void **state)
{
    (void)state;
    struct box_view view;
    open_box();
    add_node(1, 2);
    arena_unlink();
    assert_int_equal(scratch_count(""), 0);
    assert_string_equal(arena.path, "");
    arena_view(&view);
    assert_true(node_is(&view, 1, 1, 2));
    arena_unlink();
    for (uint32_t i = 2; i <= MANY; i++) /* goes on in memory */
        assert_int_equal(add_node(i - 1, i), i);
    assert_int_equal(scratch_count(""), 0);
}

/* Somebody else's file has come to stand under our name: neither deleted nor written. */
static void test_another_file_in_its_place(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX];
    open_box();
    assert_int_equal(unlink(scratch_path(path, "app.77.heapdiff")), 0);
    scratch_write("app.77.heapdiff", "another");
    said_begin();
    for (uint32_t i = 1; i <= MANY; i++)
        add_node(i - 1, i);
    assert_int_equal(said_lines(said_end()), 1);
    assert_true(arena.header->flags & BOX_FLAG_SPILLED);
    arena_unlink();
    assert_true(scratch_holds("app.77.heapdiff", "another"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, before_each, after_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_file),
        TEST(test_contents_by_the_file),
        TEST(test_publishing),
        TEST(test_neighbours_share_a_chunk),
        TEST(test_taken_names),
        TEST(test_links_are_not_followed),
        TEST(test_no_file_to_be_had),
        TEST(test_private_memory),
        TEST(test_file_size_limit),
        TEST(test_file_size_limit_from_the_start),
        TEST(test_unlink),
        TEST(test_another_file_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
