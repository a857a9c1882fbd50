#include "preload/views/snapshot.h"

#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/tables/site.h"
#include "preload/views/tracker.h"

#include "child.h"
#include "profile_file.h"
#include "said.h"
#include "scratch.h"
#include "snapshot_scene.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { TIMES = 60, THREADS = 4, EACH = 5 };

static void assert_fails(const char *path, int want)
{
    uint64_t lost = arena.header->lost.snapshots;
    uint32_t taken = arena.header->snapshots;
    said_begin();
    int error = snapshot_take("test", path);
    const char *text = said_end();
    assert_int_equal(error, want);
    assert_int_equal(said_lines(text), 1);
    assert_non_null(strstr(text, "no snapshot written"));
    assert_int_equal(arena.header->lost.snapshots, lost + 1);
    assert_int_equal(arena.header->snapshots, taken);
}

static void test_failures(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX], name[300];
    unsigned descriptors = scratch_descriptors();
    snapshot_scene_pattern("missing/%n.%c.prof");
    assert_fails(NULL, ENOENT);
    scratch_write("file", "");
    assert_fails(scratch_path(path, "file/app.prof"), ENOTDIR);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_fails(scratch_path(path, name), ENAMETOOLONG);
    assert_int_equal(scratch_count(""), 1);
    assert_int_equal(scratch_descriptors(), descriptors);
    snapshot_scene_pattern("%n.%c.prof"); /* it goes on as if nothing had been */
    assert_int_equal(snapshot_take("test", NULL), 0);
    assert_true(snapshot_scene_says("app.1.prof", "heapdiff.lost_snapshots: 3"));
}

/* A directory stands where the file is to go: the temporary is cleared away. */
static void test_rename_that_fails(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX];
    assert_int_equal(mkdir(scratch_path(path, "app.prof"), 0755), 0);
    assert_fails(path, EEXIST);
    assert_int_equal(scratch_count(""), 1);
    assert_int_equal(rmdir(path), 0);
}

/* SIGXFSZ would end the child; it is to see neither that nor a pending one. */
static bool hit_the_file_size_limit(void)
{
    sigset_t pending;
    signal(SIGXFSZ, SIG_DFL);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){70000, 70000});
    return child_expect(snapshot_take("test", NULL) == EFBIG) &&
           child_expect(sigpending(&pending) == 0 && !sigismember(&pending, SIGXFSZ));
}

static void test_file_size_limit(void **state)
{
    (void)state;
    said_begin();
    bool good = child_run(hit_the_file_size_limit);
    assert_int_equal(said_lines(said_end()), 1);
    assert_true(good);
    assert_int_equal(scratch_count(""), 0);
}

/* The thread's mask and what it was in are as before. */
static void test_the_thread_is_left_as_it_was(void **state)
{
    (void)state;
    sigset_t some, before, after;
    sigemptyset(&some);
    sigaddset(&some, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &some, &before);
    errno = 42;
    guard_set(GUARD_CALLING);
    int error = snapshot_take("test", NULL);
    assert_int_equal(guard_state(), GUARD_CALLING);
    guard_set(GUARD_OUTSIDE);
    assert_int_equal(errno, 42);
    assert_int_equal(error, 0);
    pthread_sigmask(SIG_SETMASK, &before, &after);
    for (int signal = 1; signal < 32; signal++)
        assert_int_equal(sigismember(&after, signal), signal == SIGUSR2);
}

static struct {
    const char *path;
    bool stop;
    unsigned whole, broken; /* files found */
} watched;

static void *watch(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&watched.stop, __ATOMIC_RELAXED)) {
        size_t size_bytes;
        unsigned char *bytes = profile_file_read(watched.path, &size_bytes);
        watched.whole += bytes != NULL;
        watched.broken += !bytes && access(watched.path, F_OK) == 0;
        free(bytes);
    }
    return NULL;
}

/* Whenever there is a file under the name, it is a whole one. */
static void test_only_whole_files_are_seen(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX];
    pthread_t watcher;
    watched.path = scratch_path(path, "app.prof");
    assert_int_equal(snapshot_take("test", path), 0);
    assert_int_equal(pthread_create(&watcher, NULL, watch, NULL), 0);
    for (int i = 0; i < TIMES; i++)
        assert_int_equal(snapshot_take("test", path), 0);
    __atomic_store_n(&watched.stop, true, __ATOMIC_RELAXED);
    pthread_join(watcher, NULL);
    assert_int_equal(watched.broken, 0);
    assert_true(watched.whole > 0);
}

static void *take_some(void *unused)
{
    (void)unused;
    for (int i = 0; i < EACH; i++)
        snapshot_take("test", NULL);
    return NULL;
}

static void *intern_more(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 20000; i++) {
        struct capture capture = {.depth = 2, .pcs = {0x900000 + i, 0x1001}};
        struct guard_thread *own = guard_enter_recording(); /* or the gate would not wait for it */
        assert_non_null(own);
        site_count_alloc(site_intern(&capture, BOX_KIND_MALLOC), 1, 1);
        guard_leave(own);
    }
    return NULL;
}

/* Every one gets a file, while the tables go on growing. */
static void test_threads(void **state)
{
    (void)state;
    char name[64];
    pthread_t takers[THREADS], interner;
    tracker_init(); /* a thread's guard is where the gate looks */
    guard_process.recording = true;
    assert_int_equal(pthread_create(&interner, NULL, intern_more, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&takers[i], NULL, take_some, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(takers[i], NULL);
    pthread_join(interner, NULL);
    guard_process.recording = false;
    assert_int_equal(scratch_count(""), THREADS * EACH);
    for (int i = 1; i <= THREADS * EACH; i++) {
        snprintf(name, sizeof(name), "app.4711.%d.prof", i);
        assert_true(snapshot_scene_says(name, "inuse_space"));
    }
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, snapshot_scene_reset, snapshot_scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_failures),
        TEST(test_rename_that_fails),
        TEST(test_file_size_limit),
        TEST(test_the_thread_is_left_as_it_was),
        TEST(test_only_whole_files_are_seen),
        TEST(test_threads),
    };
    return cmocka_run_group_tests(tests, snapshot_scene_start, NULL);
}
