/*
 * child.h - part of a test in a forked child: what ends or changes a process for good.
 *
 * Owns: nothing. Context: unit tests. A child asserts by returning false, never by cmocka.
 * Not here: what is said.
 */
#ifndef HEAPDIFF_TEST_CHILD_H
#define HEAPDIFF_TEST_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/* Runs `body` in a child; true when it returned true, false also when a signal ended it. */
bool child_run(bool (*body)(void));

/* The two halves of it. */
pid_t child_start(bool (*body)(void));
bool child_end(pid_t child);

/* Talking with it, by a pipe in each direction: one byte says go on. */
void child_say(const int *channel);
void child_hear(const int *channel);

/* In a child: the condition, told of on stderr when it does not hold. */
#define child_expect(condition) child_check(condition, #condition, __FILE__, __LINE__)
bool child_check(bool holds, const char *condition, const char *file, int line);

#endif
