/*
 * busy_program.h - a program's events: blocks and mappings come and go, by thousands of stacks.
 *
 * Owns: nothing; the addresses are made up. Context: unit tests, built with frame pointers like the
 *   real hooks; any thread, handlers too.
 * Not here: what is made of the events.
 */
#ifndef HEAPDIFF_TEST_BUSY_PROGRAM_H
#define HEAPDIFF_TEST_BUSY_PROGRAM_H

/* Some thousand events through guard and tracker. */
void busy_program_run(void);

#endif
