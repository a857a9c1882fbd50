#include "preload/ground/arena.h"

#include "child.h"
#include "said.h"
#include "scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum {
    COMMON = 5000, /* nodes made before the fork: they reach into the second chunk */
    MORE = 20000,  /* made after it by either side */
    PC_PARENT = 1000000,
    PC_CHILD = 2000000
};

static int to_child[2], to_parent[2];

static int before_each(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX];
    long error;
    scratch_make();
    assert_int_equal(pipe(to_child) | pipe(to_parent), 0);
    assert_true(arena_open(scratch_path(path, "."), "app", getpid(), &error));
    arena.header->state = BOX_STATE_RUNNING;
    return 0;
}

static int after_each(void **state)
{
    (void)state;
    close(to_child[0]);
    close(to_child[1]);
    close(to_parent[0]);
    close(to_parent[1]);
    scratch_remove();
    return 0;
}

static void add_nodes(uint32_t count, uint32_t pc)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = arena_append(BOX_NODES, 1);
        if (index != BOX_NONE)
            *(struct box_node *)arena_entry(BOX_NODES, index) =
                (struct box_node){index - 1, pc + i};
    }
    arena_publish(BOX_NODES);
}

/* COMMON nodes, then MORE of this side's. */
static bool nodes_are(const struct box_view *view, uint32_t more_pc)
{
    if (!child_expect(view->tables[BOX_NODES].count == 1 + COMMON + MORE))
        return false;
    for (uint32_t i = 1; i <= COMMON + MORE; i++) {
        const struct box_node *node = box_view_entry(view, BOX_NODES, i);
        uint32_t pc = i <= COMMON ? i - 1 : more_pc + i - 1 - COMMON;
        if (!node || node->parent != i - 1 || node->pc != pc)
            return child_expect(false);
    }
    return true;
}

static bool own_nodes_are(uint32_t more_pc)
{
    struct box_view view;
    arena_view(&view);
    return nodes_are(&view, more_pc);
}

static bool file_nodes_are(const char *name, uint32_t more_pc)
{
    char path[SCRATCH_PATH_BYTES_MAX];
    struct box_view view;
    struct stat found;
    int fd = open(scratch_path(path, name), O_RDONLY);
    if (!child_expect(fd >= 0 && fstat(fd, &found) == 0))
        return false;
    size_t size_bytes = (size_t)found.st_size;
    const void *bytes = mmap(NULL, size_bytes, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    const char *reason = box_view_open(&view, bytes, size_bytes);
    if (reason)
        print_message("%s: %s\n", name, reason);
    return !reason && nodes_are(&view, more_pc);
}

/* Both sides write before either looks. */
static bool live_apart(void)
{
    if (!child_expect(arena_renew("app", getpid())))
        return false;
    add_nodes(MORE, PC_CHILD);
    child_say(to_parent);
    child_hear(to_child);
    return own_nodes_are(PC_CHILD) && child_expect(!(arena.header->flags & BOX_FLAG_SPILLED));
}

static void test_child_and_parent_live_apart(void **state)
{
    (void)state;
    char name[64];
    add_nodes(COMMON, 0);
    pid_t child = child_start(live_apart);
    child_hear(to_parent);
    add_nodes(MORE, PC_PARENT);
    child_say(to_child);
    assert_true(child_end(child));
    assert_true(own_nodes_are(PC_PARENT));
    snprintf(name, sizeof(name), "app.%d.heapdiff", getpid());
    assert_true(file_nodes_are(name, PC_PARENT));
    snprintf(name, sizeof(name), "app.%d.heapdiff", child);
    assert_true(file_nodes_are(name, PC_CHILD));
    assert_int_equal(scratch_count(""), 2);
}

/* The parent goes on before the child comes to its first event: nothing of that is the child's. */
static bool renew_late(void)
{
    const struct box_site none = {0};
    child_say(to_parent);
    child_hear(to_child);
    if (!child_expect(arena_renew("app", getpid())))
        return false;
    uint32_t site = arena_append(BOX_SITES, 1), text = arena_append(BOX_TEXT, 100);
    bool good = child_expect(site == 2 && text == 1) &&
                child_expect(memcmp(arena_entry(BOX_SITES, site), &none, sizeof(none)) == 0) &&
                child_expect(*(char *)arena_entry(BOX_TEXT, text) == '\0');
    good &= child_expect(!(arena.header->flags & BOX_FLAG_SPILLED));
    add_nodes(MORE, PC_CHILD);
    return own_nodes_are(PC_CHILD) && good;
}

static void test_parent_goes_on_first(void **state)
{
    (void)state;
    char name[64];
    add_nodes(COMMON, 0);
    assert_int_equal(arena_append(BOX_SITES, 1), 1);
    arena_publish(BOX_SITES);
    pid_t child = child_start(renew_late);
    child_hear(to_parent);
    add_nodes(MORE, PC_PARENT);
    struct box_site *site = arena_entry(BOX_SITES, arena_append(BOX_SITES, 1));
    site->alloc_bytes = 4711;
    for (int i = 0; i < MORE; i++) /* chunks that the child never has */
        arena_append(BOX_PCS, 1);
    strcpy(arena_entry(BOX_TEXT, arena_append(BOX_TEXT, 100)), "the parent's text");
    arena_publish(BOX_SITES);
    arena_publish(BOX_TEXT);
    arena.header->flags |= BOX_FLAG_SPILLED;
    child_say(to_child);
    assert_true(child_end(child));
    assert_true(own_nodes_are(PC_PARENT));
    assert_int_equal(site->alloc_bytes, 4711);
    snprintf(name, sizeof(name), "app.%d.heapdiff", child);
    assert_true(file_nodes_are(name, PC_CHILD));
}

/* A handler has forked in the middle of an event: it ends in both, before the child has a file. */
static bool end_detached(void)
{
    const struct box_site none = {0};
    child_say(to_parent);
    child_hear(to_child);
    if (!child_expect(arena_detach()) || !child_expect(arena.path[0] == '\0'))
        return false;
    uint32_t site = arena_append(BOX_SITES, 1);
    bool good = child_expect(memcmp(arena_entry(BOX_SITES, site), &none, sizeof(none)) == 0);
    arena.header->lost.blocks++;
    add_nodes(MORE, PC_CHILD);
    child_say(to_parent);
    child_hear(to_child);
    good &= own_nodes_are(PC_CHILD);
    return child_expect(arena_renew("app", getpid())) && own_nodes_are(PC_CHILD) && good;
}

static void test_detached_in_an_event(void **state)
{
    (void)state;
    add_nodes(COMMON, 0);
    pid_t child = child_start(end_detached);
    child_hear(to_parent);
    struct box_site *site = arena_entry(BOX_SITES, arena_append(BOX_SITES, 1));
    site->alloc_bytes = 4711;
    child_say(to_child);
    child_hear(to_parent);
    add_nodes(MORE, PC_PARENT);
    child_say(to_child);
    assert_true(child_end(child));
    assert_true(own_nodes_are(PC_PARENT));
    assert_int_equal(site->alloc_bytes, 4711);
    assert_int_equal(arena.header->lost.blocks, 0);
    assert_int_equal(scratch_count(""), 2);
}

/* The directory has gone: the child goes on in memory of its own. */
static bool renew_without_directory(void)
{
    bool good;
    strcpy(arena.directory, "/nonexistent");
    good = child_expect(arena_renew("app", getpid())) && child_expect(arena.path[0] == '\0');
    add_nodes(MORE, PC_CHILD);
    child_say(to_parent);
    child_hear(to_child);
    arena_unlink();
    return good && own_nodes_are(PC_CHILD);
}

static void test_child_without_a_file(void **state)
{
    (void)state;
    add_nodes(COMMON, 0);
    said_begin();
    pid_t child = child_start(renew_without_directory);
    child_hear(to_parent);
    const char *text = said_end();
    add_nodes(MORE, PC_PARENT);
    child_say(to_child);
    assert_true(child_end(child));
    assert_int_equal(said_lines(text), 1);
    assert_true(own_nodes_are(PC_PARENT));
    assert_int_equal(scratch_count(""), 1); /* the parent's: not the child's to delete */
}

/* A program that was finished goes on (an exec that failed): a new file, with all there was. */
static void test_a_new_file_after_unlink(void **state)
{
    (void)state;
    char name[64];
    add_nodes(COMMON, 0);
    const void *header = arena.header;
    arena_unlink();
    assert_true(arena_renew("app", getpid()));
    assert_ptr_equal(arena.header, header);
    add_nodes(MORE, PC_PARENT);
    snprintf(name, sizeof(name), "app.%d.heapdiff", getpid());
    assert_true(file_nodes_are(name, PC_PARENT));
    assert_int_equal(scratch_count(""), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, before_each, after_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_child_and_parent_live_apart), TEST(test_parent_goes_on_first),
        TEST(test_detached_in_an_event),        TEST(test_child_without_a_file),
        TEST(test_a_new_file_after_unlink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
