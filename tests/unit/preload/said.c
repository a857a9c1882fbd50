#include "said.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static struct {
    int own;  /* descriptor 2 as it was */
    int file; /* what stands in for it */
    char text[8192];
} said;

void said_begin(void)
{
    fflush(stderr);
    said.own = dup(2);
    said.file = memfd_create("stderr", MFD_CLOEXEC);
    assert_true(said.own >= 0 && said.file >= 0);
    assert_int_equal(dup2(said.file, 2), 2);
}

const char *said_end(void)
{
    dup2(said.own, 2);
    close(said.own);
    ssize_t length = pread(said.file, said.text, sizeof(said.text) - 1, 0);
    close(said.file);
    assert_true(length >= 0);
    said.text[length] = '\0';
    return said.text;
}

unsigned said_lines(const char *text)
{
    unsigned lines = 0;
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        assert_int_equal(strncmp(text, "heapdiff: ", 10), 0);
        lines++;
    }
    assert_string_equal(text, ""); /* the last line ends, too */
    return lines;
}
