/*
 * The whole core at work while the heap is forbidden: what a hook, a handler or a growth check runs
 * must not call malloc, nor anything of libc that does.
 */
#include "preload/ground/arena.h"
#include "preload/views/collection.h"
#include "preload/ground/facts.h"
#include "preload/views/growth.h"
#include "preload/ground/guard.h"
#include "preload/tables/mapping.h"
#include "preload/ground/options.h"
#include "preload/views/pattern.h"
#include "preload/tables/range.h"
#include "preload/tables/site.h"
#include "preload/views/snapshot.h"
#include "preload/ground/sys.h"
#include "preload/views/tracker.h"

#include "busy_program.h"
#include "child.h"
#include "forbidden_malloc.h"
#include "said.h"
#include "scratch.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "emulator.h"

/* Runs it with the heap forbidden to this thread. */
static void run_without_heap(void (*scenario)(void))
{
    malloc_forbidden = true;
    scenario();
    malloc_forbidden = false;
}

static void serve(uint32_t wanted)
{
    if (wanted & GUARD_WANT_CHECK)
        growth_check();
}

static void forked(void)
{
    guard_fork_done();
}

/* As init.c does it, before the program's own code. */
static void start(void)
{
    static char executable[BOX_TEXT_BYTES_MAX];
    char directory[SCRATCH_PATH_BYTES_MAX], out[SCRATCH_PATH_BYTES_MAX];
    static struct box_header facts;
    long error;
    options_read("out=%n.%c.prof,every=5%,keep=3");
    facts_identify(&facts);
    facts_directory(directory, sizeof(directory));
    pattern_absolute(out, sizeof(out), scratch_path(directory, "."), options.out);
    arena_open(directory, "app", sys_pid(), &error);
    strcpy(arena.header->pattern, out);
    strcpy(arena.header->name, "app");
    strcpy(executable, facts.executable);
    arena.header->pid = facts.pid;
    arena.header->state = BOX_STATE_RUNNING;
    snapshot_init();
    guard_init(forked, serve);
    mapping_init(executable, "/");
    tracker_init();
    growth_restart();
    guard_process.checking = guard_process.recording = true;
}

static int before_all(void **state)
{
    (void)state;
    scratch_make();
    run_without_heap(start);
    unwind_init();
    return arena.header ? 0 : 1;
}

static int after_all(void **state)
{
    (void)state;
    scratch_remove();
    return 0;
}

static bool format_a_number(void)
{
    char *text;
    malloc_forbidden = true;
    return asprintf(&text, "%d", 1) > 0; /* libc's own call */
}

static bool give_back(void)
{
    void *block = malloc(1);
    __asm__ volatile("" : "+r"(block));
    malloc_forbidden = true;
    free(block);
    return true;
}

/* The trap works, or the rest would prove nothing. */
static void test_the_heap_is_forbidden(void **state)
{
    (void)state;
    if (emulator_lacks("quiet end by a signal"))
        skip();
    unsigned long before = malloc_calls;
    char *copy = strdup("x");
    __asm__ volatile("" : "+r"(copy)); /* else the compiler leaves nothing of it */
    free(copy);
    assert_int_equal(malloc_calls, before + 2);
    said_begin();
    bool formatted = child_run(format_a_number), given = child_run(give_back);
    const char *text = said_end();
    assert_false(formatted || given);
    assert_string_equal(text, "forbidden: a call of the heap\nforbidden: a call of the heap\n");
}

static void test_recording(void **state)
{
    (void)state;
    uint32_t before = arena.tables[BOX_SITES].count;
    run_without_heap(busy_program_run);
    assert_true(arena.tables[BOX_SITES].count > before + 1000);
    assert_int_equal(arena.header->lost.blocks, 0);
    assert_int_equal(arena.header->lost.unwind_ends, 0);
}

static void write_snapshots(void)
{
    char path[SCRATCH_PATH_BYTES_MAX];
    snapshot_take("test", NULL);
    snapshot_take("test", scratch_path(path, "own.prof"));
    snapshot_take("test", "/nonexistent/app.prof");
    collection_mark(&(struct collection_event){.source = "test"});
}

static void test_snapshots(void **state)
{
    (void)state;
    said_begin();
    run_without_heap(write_snapshots);
    assert_int_equal(said_lines(said_end()), 1);
    assert_true(scratch_has("own.prof"));
    assert_true(scratch_count(".prof") >= 2);
}

static void record_and_grow(void)
{
    static const struct timespec pause = {.tv_nsec = 15000000};
    for (int i = 0; i < 5; i++) {
        busy_program_run();
        site_count_alloc(1, 1, 1ull << 30);
        sys_call4(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, (long)&pause, 0);
        growth_check();
    }
}

static void test_growth(void **state)
{
    (void)state;
    uint32_t before = arena.header->snapshots;
    run_without_heap(record_and_grow);
    assert_true(arena.header->snapshots >= before + 5);
    assert_true(scratch_count("prof") <= 4); /* keep=3 and own.prof */
}

static void *record_in_thread(void *unused)
{
    (void)unused;
    run_without_heap(busy_program_run);
    return NULL;
}

/* The first event of a thread touches its thread-local state. */
static void test_a_new_thread(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, record_in_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void be_a_child(void)
{
    site_unlock_child();
    collection_fork();
    snapshot_fork();
    range_recover();
    arena_renew("app", sys_pid());
    facts_fork(arena.header, 1);
    tracker_inherit();
    growth_restart();
    busy_program_run();
    snapshot_take("exit", NULL);
    arena_unlink();
}

static bool live_without_heap(void)
{
    run_without_heap(be_a_child);
    return child_expect(arena.header->snapshots > 0);
}

static void test_a_forked_child(void **state)
{
    (void)state;
    assert_true(child_run(live_without_heap));
}

static void on_signal(int signal)
{
    (void)signal;
    bool before = malloc_forbidden;
    malloc_forbidden = true;
    busy_program_run();
    snapshot_take("signal", NULL);
    malloc_forbidden = before;
}

static void test_a_handler(void **state)
{
    (void)state;
    struct sigaction before, action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, &before);
    uint32_t taken = arena.header->snapshots;
    raise(SIGUSR1);
    assert_true(arena.header->snapshots > taken);
    sigaction(SIGUSR1, &before, NULL);
}

static void sweep(void)
{
    site_sweep();
    unwind_forget();
}

static void test_unloading(void **state)
{
    (void)state;
    uint64_t sites = arena.tables[BOX_SITES].count;
    run_without_heap(sweep);
    run_without_heap(busy_program_run);
    assert_true(arena.tables[BOX_SITES].count < 2 * sites);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_heap_is_forbidden),
        cmocka_unit_test(test_recording),
        cmocka_unit_test(test_snapshots),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_a_new_thread),
        cmocka_unit_test(test_a_forked_child),
        cmocka_unit_test(test_a_handler),
        cmocka_unit_test(test_unloading),
    };
    if (!forbidden_malloc_works) {
        puts("skipped: a test cannot replace the allocator of this build");
        return 77; /* what meson takes for skipped */
    }
    return cmocka_run_group_tests(tests, before_all, after_all);
}
