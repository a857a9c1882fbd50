/*
 * plate_pages - sys_pages() that runs out, for tests that need the rest of sys.c too.
 *
 * What it is: a stand-in for the linker's --wrap. Owns: what is left. Context: unit tests.
 */
#ifndef PLATE_PAGES_H
#define PLATE_PAGES_H

/* So many more calls of sys_pages() succeed; negative: all. */
extern int plate_pages_left;

/* Called once by the next sys_pages(), in place of another thread. */
extern void (*plate_pages_meanwhile)(void);

#endif
