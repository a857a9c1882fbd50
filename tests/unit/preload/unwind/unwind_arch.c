/* aarch64: what authentication adds to a return address is taken off again. */
#include "preload/unwind/unwind_arch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static uintptr_t sign(uintptr_t pc, uintptr_t modifier)
{
    register uintptr_t x17 __asm__("x17") = pc;
    register uintptr_t x16 __asm__("x16") = modifier;
    __asm__("hint 8" : "+r"(x17) : "r"(x16)); /* pacia1716 */
    return x17;
}

static void test_plain_addresses_stay(void **state)
{
    (void)state;
    assert_int_equal(arch_strip(0), 0);
    assert_int_equal(arch_strip(0x400abc), 0x400abc);
    assert_int_equal(arch_strip(0x0000fffff7abcdef), 0x0000fffff7abcdef);
}

static void test_signed_addresses_are_stripped(void **state)
{
    (void)state;
    uintptr_t pc = (uintptr_t)&test_plain_addresses_stay, changed = 0;
    for (uintptr_t modifier = 1; modifier < 64; modifier++) {
        uintptr_t with = sign(pc, modifier << 4);
        changed += with != pc;
        assert_int_equal(arch_strip(with), pc);
    }
    if (changed == 0) { /* a processor before ARMv8.3: nothing to strip, ever */
        print_message("this processor does not authenticate\n");
        skip();
    }
}

/* Every bit that such a code can be in: 48 to 54; bit 55 tells user addresses, the rest is above it. */
static void test_made_up_codes(void **state)
{
    (void)state;
    if (sign((uintptr_t)&sign, 16) == (uintptr_t)&sign &&
        sign((uintptr_t)&sign, 32) == (uintptr_t)&sign) {
        print_message("this processor does not authenticate\n");
        skip();
    }
    for (int bit = 48; bit <= 54; bit++)
        assert_int_equal(arch_strip(0x5500001234 | 1ull << bit), 0x5500001234);
    assert_int_equal(arch_strip(0x005500001234 | 0x7full << 48), 0x5500001234);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_addresses_stay),
        cmocka_unit_test(test_signed_addresses_are_stripped),
        cmocka_unit_test(test_made_up_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
