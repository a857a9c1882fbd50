#include "preload/ground/sys.h"

#include "child.h"
#include "said.h"
#include "scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

static void test_a_line(void **state)
{
    (void)state;
    char text[2000];
    said_begin();
    sys_say("so it is");
    const char *found = said_end();
    assert_string_equal(found, "heapdiff: so it is\n");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    said_begin();
    sys_say(text);
    found = said_end();
    assert_int_equal(said_lines(found), 1);
    assert_int_equal(strlen(found), 512);
}

/* Makes descriptor 2 a pipe. */
static bool pipe_stderr(int ends[2])
{
    return pipe(ends) == 0 && dup2(ends[1], 2) == 2 && close(ends[1]) == 0;
}

static bool say_to_nobody(void)
{
    int ends[2];
    sigset_t pending;
    signal(SIGPIPE, SIG_DFL);
    if (!pipe_stderr(ends))
        return false;
    close(ends[0]);
    sys_say("x");
    return sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE);
}

static bool say_past_the_limit(void)
{
    sigset_t pending;
    signal(SIGXFSZ, SIG_DFL);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, 0});
    sys_say("x");
    return sigpending(&pending) == 0 && !sigismember(&pending, SIGXFSZ);
}

/* A signal of the program's own that waits is not taken from it. */
static bool keep_what_was_pending(void)
{
    int ends[2];
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGPIPE);
    if (!pipe_stderr(ends))
        return false;
    close(ends[0]);
    sys_say("x");
    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE);
}

/* alarm() ends it should it wait for a reader. */
static bool say_to_a_full_pipe(void)
{
    int ends[2];
    char bytes[4096] = {0};
    if (!pipe_stderr(ends) || fcntl(2, F_SETFL, O_NONBLOCK) != 0)
        return false;
    while (write(2, bytes, sizeof(bytes)) > 0)
        ;
    if (fcntl(2, F_SETFL, 0) != 0)
        return false;
    alarm(10);
    sys_say("x");
    return true;
}

static void test_lines_cost_nothing(void **state)
{
    (void)state;
    said_begin();
    bool nobody = child_run(say_to_nobody), limit = child_run(say_past_the_limit);
    bool pending = child_run(keep_what_was_pending), full = child_run(say_to_a_full_pipe);
    said_end();
    assert_true(nobody);
    assert_true(limit);
    assert_true(pending);
    assert_true(full);
}

/* What the program opens as descriptor 2 is its own: a database, a socket. */
static bool stderr_is_the_programs_now(void)
{
    char path[SCRATCH_PATH_BYTES_MAX];
    if (!freopen(scratch_path(path, "first"), "w", stderr))
        return false;
    sys_say_init();
    sys_say("before");
    if (!freopen(scratch_path(path, "second"), "w", stderr))
        return false;
    sys_say("after");
    return fileno(stderr) == 2 && scratch_holds("first", "heapdiff: before\n") &&
           scratch_holds("second", "");
}

static bool stderr_was_closed_at_the_start(void)
{
    char path[SCRATCH_PATH_BYTES_MAX];
    close(2);
    sys_say_init();
    int fd = open(scratch_path(path, "other"), O_WRONLY | O_CREAT, 0600);
    sys_say("x");
    return fd == 2 && scratch_holds("other", "");
}

static void test_a_descriptor_that_changed(void **state)
{
    (void)state;
    scratch_make();
    bool changed = child_run(stderr_is_the_programs_now);
    bool closed = child_run(stderr_was_closed_at_the_start);
    assert_true(changed);
    assert_true(closed);
    scratch_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line),
        cmocka_unit_test(test_lines_cost_nothing),
        cmocka_unit_test(test_a_descriptor_that_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
