#include "snapshot_scene.h"

#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/tables/mapping.h"
#include "preload/ground/options.h"
#include "preload/tables/site.h"
#include "preload/views/snapshot.h"

#include "profile_file.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum { SITES = 3000, PID = 4711 };

static uint64_t code(void)
{
    return (uint64_t)&code;
}

static void fill_tables(void)
{
    for (uint32_t i = 0; i < SITES; i++) {
        struct capture capture = {.depth = 4, .pcs = {0x2000 + i, 0x1000 + i % 7, code(), 0x1001}};
        uint32_t site = site_intern(&capture, i % 2 ? BOX_KIND_MALLOC : BOX_KIND_MMAP);
        site_count_alloc(site, i, 100ull * i);
        site_count_free(site, i / 2, 100ull * (i / 2));
    }
}

int snapshot_scene_start(void **state)
{
    (void)state;
    long error;
    mapping_init("/opt/app", "/");
    if (!arena_open(NULL, "app", PID, &error) || !snapshot_init())
        return 1;
    guard_init(NULL, NULL);
    arena.header->pid = PID;
    arena.header->sample_period_bytes = 1;
    strcpy(arena.header->name, "app");
    strcpy(arena.header->host, "box");
    fill_tables();
    return 0;
}

void snapshot_scene_pattern(const char *out)
{
    scratch_path(arena.header->pattern, out); /* TMPDIR has no '%' */
}

int snapshot_scene_reset(void **state)
{
    (void)state;
    assert_true(strlen(scratch_make()) < 200);
    snapshot_scene_pattern("%n.%p.%c.prof");
    options_read("ledger=off"); /* the process of the test is not what the tables are of */
    snapshot_fork();            /* counts from 1 */
    return 0;
}

int snapshot_scene_end(void **state)
{
    (void)state;
    scratch_remove();
    return 0;
}

bool snapshot_scene_says(const char *name, const char *text)
{
    char path[SCRATCH_PATH_BYTES_MAX];
    return profile_file_says(scratch_path(path, name), text);
}
