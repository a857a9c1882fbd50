#include "cli/process/process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void on_signal(int number)
{
    (void)number;
}

static void pids_are_told_from_names(void **state)
{
    (void)state;
    static const char *const others[] = {
        "", "0", "-1", "1x", " 1", "2147483648", "99999999999999999999"};
    assert_int_equal(process_parse_pid("1"), 1);
    assert_int_equal(process_parse_pid("2147483647"), 2147483647);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(process_parse_pid(others[i]), 0);
}

static void own_process_is_read(void **state)
{
    (void)state;
    struct process process;
    assert_true(process_read(&process, getpid()));
    assert_int_equal(process.user, geteuid());
    assert_int_equal(process.threads, 1);
    assert_true(process.rss_bytes > 0 && process.rss_peak_bytes >= process.rss_bytes);
    assert_true(process.start_ticks > 0);
    assert_false(process.stopped);
    assert_int_equal(process_find(process.inner_pid, process.start_ticks), getpid());
    assert_int_equal(process_find(process.inner_pid, process.start_ticks + 1), 0);
    assert_false(process_read(&process, -1));
}

static void signals_are_known(void **state)
{
    (void)state;
    struct process process;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    signal(SIGUSR1, SIG_DFL);
    assert_true(process_read(&process, getpid()));
    assert_false(process_takes_signal(&process, SIGUSR1));
    signal(SIGUSR1, on_signal);
    assert_true(process_read(&process, getpid()));
    assert_true(process_takes_signal(&process, SIGUSR1));
    assert_false(process_takes_signal(&process, 0));
    assert_false(process_takes_signal(&process, 65));
    sigprocmask(SIG_BLOCK, &set, NULL);
    assert_false(process_takes_signal(&process, SIGUSR1));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void the_dead_are_gone(void **state)
{
    (void)state;
    struct process process;
    siginfo_t ended;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT); /* a zombie now */
    assert_false(process_read(&process, pid));
    waitpid(pid, NULL, 0);
    assert_false(process_read(&process, pid));
}

static void the_stopped_take_no_signal(void **state)
{
    (void)state;
    struct process process;
    signal(SIGUSR1, on_signal);
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    kill(pid, SIGSTOP);
    waitpid(pid, NULL, WUNTRACED);
    assert_true(process_read(&process, pid));
    assert_true(process.stopped);
    assert_false(process_takes_signal(&process, SIGUSR1));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pids_are_told_from_names),   cmocka_unit_test(own_process_is_read),
        cmocka_unit_test(signals_are_known),          cmocka_unit_test(the_dead_are_gone),
        cmocka_unit_test(the_stopped_take_no_signal),
    };
    return cmocka_run_group_tests_name("cli/process", tests, NULL, NULL);
}
