#include "arena_nodes.h"

#include "preload/ground/arena.h"

#include "scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

void arena_nodes_open(int pid)
{
    char path[SCRATCH_PATH_BYTES_MAX];
    long error = 0;
    scratch_path(path, "");
    path[strlen(path) - 1] = '\0';
    assert_true(arena_open(path, "app", pid, &error));
    arena.header->state = BOX_STATE_RUNNING;
}

uint32_t arena_nodes_add(uint32_t parent, uint32_t pc)
{
    uint32_t index = arena_append(BOX_NODES, 1);
    if (index == BOX_NONE)
        return BOX_NONE;
    *(struct box_node *)arena_entry(BOX_NODES, index) = (struct box_node){parent, pc};
    arena_publish(BOX_NODES);
    return index;
}

bool arena_nodes_have(const struct box_view *view, uint32_t index, uint32_t parent, uint32_t pc)
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

void arena_nodes_view(struct box_view *view, const char *name)
{
    size_t size_bytes;
    const void *bytes = file_bytes(name, &size_bytes);
    const char *reason = box_view_open(view, bytes, size_bytes);
    if (reason)
        fail_msg("%s: %s", name, reason);
}
