/*
 * fake_pages.h - sys_pages() that can be told to fail: what the tables do without memory.
 *
 * What it is: takes the place of sys.c in a test's link, as nothing else of it is needed there.
 * Owns: the switches.
 * Context: unit tests.
 * Not here: system calls (sys.h has them inline).
 */
#ifndef HEAPDIFF_TEST_FAKE_PAGES_H
#define HEAPDIFF_TEST_FAKE_PAGES_H

/* So many more requests succeed; negative: all of them. */
extern int fake_pages_left;

/* Called once by the next request, before it is served: what another thread does meanwhile. */
extern void (*fake_pages_meanwhile)(void);

#endif
