#include "child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

pid_t child_start(bool (*body)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(body() ? 0 : 1);
    return child;
}

bool child_end(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        print_message("the child was ended by signal %d\n", WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool child_run(bool (*body)(void))
{
    return child_end(child_start(body));
}

void child_say(const int *channel)
{
    if (write(channel[1], "", 1) != 1)
        _exit(2);
}

void child_hear(const int *channel)
{
    char byte;
    if (read(channel[0], &byte, 1) != 1)
        _exit(2);
}

bool child_check(bool holds, const char *condition, const char *file, int line)
{
    if (!holds)
        dprintf(2, "%s:%d: in the child: not %s\n", file, line, condition);
    return holds;
}
