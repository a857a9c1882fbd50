/*
 * truth.c - a program that allocates in every way there is, a known amount in each function.
 *
 *     truth TABLE [ENDING]
 *
 * Runs every site of truth.h, writes their table to TABLE, says "ready" and ends as ENDING says.
 * Own code uses no stdio, so that nothing but the sites allocates; functions called library_* call
 * parts of libc that allocate as they please. Built without sibling calls: each site keeps its
 * frame.
 */
#include "truth.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *volatile truth_sink;

void truth_say(const char *text)
{
    if (write(1, text, strlen(text)) < 0)
        _exit(4);
}

void truth_check(int holds, const char *what)
{
    if (holds)
        return;
    truth_say("truth: broken: ");
    truth_say(what);
    truth_say("\n");
    _exit(3);
}

void *truth_kept(void *block)
{
    truth_sink = block;
    return block;
}

static void write_table(const char *path)
{
#define SITE(name, kind, ...) #name " " #kind " " #__VA_ARGS__ "\n"
    static const char table[] = TRUTH_SITES;
#undef SITE
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    truth_check(write(fd, table, sizeof table - 1) == sizeof table - 1, "the table");
    close(fd);
}

static void end(const char *how)
{
    volatile int *volatile nowhere = NULL;

    if (strcmp(how, "wait") == 0)
        for (;;)
            pause();
    if (strcmp(how, "segv") == 0)
        *nowhere = 1;
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "_exit") == 0)
        _exit(0);
    if (strcmp(how, "quick_exit") == 0)
        quick_exit(0);
    if (strcmp(how, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(how, "exec") == 0)
        execl("/bin/echo", "echo", "exec'd", (char *)NULL);
}

int main(int count, char **arguments)
{
    if (count < 2)
        return 2;
    truth_heap();
    truth_stacks();
    truth_ranges();
    truth_cxx();
    write_table(arguments[1]);
    truth_say("ready\n");
    if (count > 2)
        end(arguments[2]);
    return 0;
}
