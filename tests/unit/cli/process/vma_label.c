/* What mappings are taken for: recorded texts with the answer beside. */
#include "cli/profile/ledger.h"
#include "cli/process/vma_label.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct process_dir nowhere = {.fd = -1};

struct answer {
    int kind;
    const char *name; /* NULL: no such part */
    uint64_t kilobytes;
};

static void check(struct vma_scene *scene, size_t index, struct answer first, struct answer second)
{
    struct vma_label label = vma_label_of(scene, index);
    const struct answer answers[] = {first, second};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(label.parts[i].bytes, answers[i].kilobytes * 1024);
        if (!answers[i].name) {
            assert_null(label.parts[i].name);
            continue;
        }
        assert_int_equal(label.parts[i].kind, answers[i].kind);
        assert_string_equal(label.parts[i].name, answers[i].name);
    }
    vma_label_free(&label);
}

static struct vma_scene scene_of(const char *text, struct thread_entry *threads, size_t count)
{
    struct vma_scene scene = {.dir = &nowhere, .pid = 7};
    assert_null(smaps_parse(&scene.smaps, strdup(text), strlen(text)));
    scene.threads = (struct thread_list){.threads = threads, .count = count};
    return scene;
}

/* One mapping, one answer. */
static void check_one(const char *mode, const char *name, int kind, const char *expected)
{
    char text[512];
    struct thread_entry main_thread = {.id = 7, .name = "app"};
    snprintf(text, sizeof(text), "10000-20000 %s 0 0:0 0 %s\nRss: 12 kB\n", mode, name);
    struct vma_scene scene = scene_of(text, &main_thread, 1);
    check(&scene, 0, (struct answer){kind, expected, 12}, (struct answer){0});
    smaps_free(&scene.smaps);
}

static void names_are_known(void **state)
{
    (void)state;
    check_one("rw-p", "[heap]", LEDGER_HEAP, "heap by brk");
    check_one("rw-p", "[stack]", LEDGER_STACK, "main thread app");
    check_one("r-xp", "[vdso]", LEDGER_KERNEL, "[vdso]");
    check_one("rw-p", "[anon:scudo:primary]", LEDGER_HEAP, "scudo:primary");
    check_one("rw-p", "[anon: Go: heap]", LEDGER_HEAP, "Go: heap");
    check_one("rw-p", "[anon:mine]", LEDGER_ANONYMOUS, "mine");
    check_one("rw-p", "[anon:]", LEDGER_ANONYMOUS, "");
    check_one("rw-p", "[", LEDGER_ANONYMOUS, "[");
    check_one("rw-p", "", LEDGER_ANONYMOUS, "read-write");
    check_one("rwxp", "", LEDGER_ANONYMOUS, "generated code");
}

static void files_are_known(void **state)
{
    (void)state;
    check_one("r-xp", "/usr/lib/a.so", LEDGER_FILE, "/usr/lib/a.so text");
    check_one("r--p", "/usr/lib/a.so", LEDGER_FILE, "/usr/lib/a.so rodata");
    check_one("rw-s", "/var/db (deleted)", LEDGER_FILE, "/var/db (deleted) shared");
    check_one("rw-s", "/memfd:ring (deleted)", LEDGER_FILE, "memfd:ring shared memory");
    check_one("rw-s", "/SYSV0000002a (deleted)", LEDGER_FILE, "SYSV0000002a shmid 0 shared memory");
    check_one("rw-s", "/dev/zero (deleted)", LEDGER_FILE, "anonymous shared memory");
    check_one("rw-s", "/dev/shm/x", LEDGER_FILE, "/dev/shm/x shared memory");
    check_one("r-xp", "/lib/libheapdiff.so", LEDGER_OWN, "/lib/libheapdiff.so");
    check_one("rw-s", "/dev/shm/app.7.heapdiff", LEDGER_OWN, "/dev/shm/app.7.heapdiff");
    check_one("rw-s", "/tmp/x.heapdiff (deleted)", LEDGER_OWN, "/tmp/x.heapdiff (deleted)");
    check_one("rw-s", "/tmp/.heapdiff", LEDGER_FILE, "/tmp/.heapdiff shared");
}

static void copies_of_files_are_apart(void **state)
{
    (void)state;
    struct vma_scene scene =
        scene_of("1000-9000 rw-p 0 fe:0 5 /a.so\nRss: 20 kB\nAnonymous: 8 kB\n"
                 "a000-b000 r--p 0 fe:0 5 /a.so\nRss: 4 kB\nAnonymous: 400 kB\n",
                 NULL, 0);
    check(&scene, 0, (struct answer){LEDGER_FILE, "/a.so data", 12},
          (struct answer){LEDGER_FILE, "/a.so private dirty", 8});
    check(&scene, 1, (struct answer){0}, (struct answer){LEDGER_FILE, "/a.so private dirty", 4});
    smaps_free(&scene.smaps);
}

/* A window of an arena ends where its 64 MiB do. */
static void arenas_are_told_by_shape(void **state)
{
    (void)state;
    struct answer arena = {LEDGER_HEAP, "malloc arenas of threads", 4};
    struct answer other = {LEDGER_ANONYMOUS, "read-write", 4};
    struct vma_scene scene =
        scene_of("7f9398000000-7f9398021000 rw-p 0 0:0 0\nRss: 4 kB\nVmFlags: nr\n"
                 "7f9398021000-7f939c000000 ---p 0 0:0 0\nVmFlags: nr\n"
                 "7f93a0000000-7f93a0021000 rw-p 0 0:0 0\nRss: 4 kB\n"
                 "7f93a0021000-7f93a4000000 ---p 0 0:0 0\n"
                 "7f93b0000000-7f93b0021000 rw-p 0 0:0 0\nRss: 4 kB\nVmFlags: nr\n"
                 "7f93b0021000-7f93b8000000 ---p 0 0:0 0\n",
                 NULL, 0);
    check(&scene, 0, arena, (struct answer){0});
    check(&scene, 2, other, (struct answer){0});
    check(&scene, 4, other, (struct answer){0});
    smaps_free(&scene.smaps);
}

static void stacks_are_told_by_pointers(void **state)
{
    (void)state;
    struct thread_entry threads[] = {{.id = 7, .name = "app", .stack_pointer = 0x5000},
                                     {.id = 8, .name = "worker", .stack_pointer = 0x18000}};
    struct vma_scene scene = scene_of("10000-20000 rw-p 0 0:0 0\nRss: 4 kB\n"
                                      "30000-31000 ---p 0 0:0 0\nVmFlags: nh\n"
                                      "31000-40000 rw-p 0 0:0 0\nRss: 4 kB\nVmFlags: nh\n"
                                      "50000-60000 rw-p 0 0:0 0\nRss: 4 kB\nVmFlags: nh\n",
                                      threads, 2);
    check(&scene, 0, (struct answer){LEDGER_STACK, "thread worker", 4}, (struct answer){0});
    check(&scene, 2, (struct answer){LEDGER_STACK, "threads that have ended", 4},
          (struct answer){0});
    check(&scene, 3, (struct answer){LEDGER_ANONYMOUS, "read-write", 4}, (struct answer){0});
    smaps_free(&scene.smaps);
}

static void go_heaps_are_told_by_place(void **state)
{
    (void)state;
    struct vma_scene scene = scene_of("c000000000-c000400000 rw-p 0 0:0 0\nRss: 4 kB\n", NULL, 0);
    check(&scene, 0, (struct answer){LEDGER_ANONYMOUS, "read-write", 4}, (struct answer){0});
    scene.go_heap = UINT64_C(0xc0) << 32;
    check(&scene, 0, (struct answer){LEDGER_HEAP, "Go heap arenas", 4}, (struct answer){0});
    smaps_free(&scene.smaps);
}

static void java_heaps_are_told_by_place(void **state)
{
    static const char text[] = "687400000-69f000000 rw-p 0 0:0 0\nRss: 40 kB\n"
                               "69f000000-7ff800000 ---p 0 0:0 0\nRss: 0 kB\n"
                               "7fb1e1400000-7fb1e1670000 rwxp 0 0:0 0\nRss: 8 kB\n"
                               "7fb1e1670000-7fb1e8938000 ---p 0 0:0 0\nRss: 0 kB\n"
                               "7fb1e9000000-7fb1e9001000 rwxp 0 0:0 0\nRss: 4 kB\n"
                               "7fb1ea000000-7fb1ea001000 rw-p 0 0:0 0\nRss: 4 kB\n";
    (void)state;
    struct vma_scene scene = scene_of(text, NULL, 0);
    check(&scene, 0, (struct answer){LEDGER_ANONYMOUS, "read-write", 40}, (struct answer){0});
    assert_false(vma_label_is_java(&scene.smaps));
    scene.java = true;
    check(&scene, 0, (struct answer){LEDGER_HEAP, "Java heap", 40}, (struct answer){0});
    check(&scene, 2, (struct answer){LEDGER_ANONYMOUS, "Java code cache", 8}, (struct answer){0});
    check(&scene, 4, (struct answer){LEDGER_ANONYMOUS, "generated code", 4}, (struct answer){0});
    check(&scene, 5, (struct answer){LEDGER_ANONYMOUS, "read-write", 4}, (struct answer){0});
    smaps_free(&scene.smaps);
    scene = scene_of("10000-20000 r-xp 0 fe:0 7 /usr/lib/jvm/lib/server/libjvm.so\nRss: 0 kB\n",
                     NULL, 0);
    assert_true(vma_label_is_java(&scene.smaps));
    smaps_free(&scene.smaps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_known),
        cmocka_unit_test(files_are_known),
        cmocka_unit_test(copies_of_files_are_apart),
        cmocka_unit_test(arenas_are_told_by_shape),
        cmocka_unit_test(stacks_are_told_by_pointers),
        cmocka_unit_test(go_heaps_are_told_by_place),
        cmocka_unit_test(java_heaps_are_told_by_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
