/*
 * said.h - what the code under test writes to descriptor 2.
 *
 * Owns: descriptor 2 between said_begin() and said_end(). Context: unit tests; assert nothing in
 *   between, the message would be caught too.
 * Not here: what it should say.
 */
#ifndef HEAPDIFF_TEST_SAID_H
#define HEAPDIFF_TEST_SAID_H

void said_begin(void);

/* The text since said_begin(), NUL-terminated; good until the next said_end(). */
const char *said_end(void);

/* Lines in `text`, each of which must begin with "heapdiff: ". */
unsigned said_lines(const char *text);

#endif
