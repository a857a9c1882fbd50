#include "format/crc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>
#include <cmocka.h>

enum { BYTES = 1000 };

static void fill(unsigned char bytes[BYTES])
{
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (unsigned char)(i * 2654435761u >> 11);
}

static void is_zlibs(void **state)
{
    (void)state;
    unsigned char bytes[BYTES];
    fill(bytes);
    for (size_t size = 0; size <= BYTES; size++) {
        size_t at = size % 9; /* no alignment is asked for */
        size_t left = size > at ? size - at : 0;
        assert_int_equal(crc_of(0, bytes + at, left), crc32(0, bytes + at, (unsigned)left));
    }
}

static void goes_on_from_any_byte(void **state)
{
    (void)state;
    unsigned char bytes[BYTES];
    fill(bytes);
    for (size_t cut = 0; cut <= BYTES; cut++)
        assert_int_equal(crc_of(crc_of(0, bytes, cut), bytes + cut, BYTES - cut),
                         crc32(0, bytes, BYTES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_zlibs),
        cmocka_unit_test(goes_on_from_any_byte),
    };
    return cmocka_run_group_tests_name("format/crc", tests, NULL, NULL);
}
