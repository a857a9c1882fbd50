#include "preload/unwind/cfi_program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum { START = 0x1000, CODE_BYTES_MAX = 64 };

/* Runs `code` for the address START + at, from rules where the CFA is register 7 + 8. */
static bool run(const uint8_t *code, size_t length, uint64_t at, struct cfi_frame *frame)
{
    struct cfi_rules initial = {.cfa = {.offset = 8, .reg = 7}};
    initial.registers[6] = (struct cfi_rule){-32, CFI_OFFSET};
    *frame = (struct cfi_frame){
        .section = {code, code + length, NULL}, .rules = initial, .code_align = 1, .start = START};
    frame->data_align = -8;
    struct cfi_cursor cursor = {code, code + length, false};
    return cfi_program_run(frame, &cursor, &initial, START + at);
}

#define RUN(at, ...) \
    run((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), at, &frame)

static void assert_rule(const struct cfi_frame *frame, int reg, enum cfi_how how, int32_t value)
{
    assert_int_equal(frame->rules.registers[reg].how, how);
    assert_int_equal(frame->rules.registers[reg].value, value);
}

static void test_rules_hold_from_their_location_on(void **state)
{
    (void)state;
    struct cfi_frame frame;
    const uint8_t code[] = {0x41, 0x0e, 16,   0x43, 0x0e, 24, 0x02, 200, 0x0e, 32,   0x03,
                            0,    1,    0x0e, 40,   0x04, 0,  0,    1,   0,    0x0e, 48};
    const struct {
        uint64_t at;
        int32_t offset;
    } expected[] = {{0, 8},    {1, 16},   {3, 16},   {4, 24},     {203, 24},   {204, 32},
                    {459, 32}, {460, 40}, {461, 40}, {65995, 40}, {65996, 48}, {1ul << 40, 48}};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_true(run(code, sizeof(code), expected[i].at, &frame));
        assert_int_equal(frame.rules.cfa.offset, expected[i].offset);
    }
}

static void test_where_the_cfa_is(void **state)
{
    (void)state;
    struct cfi_frame frame;
    assert_true(RUN(0, 0x0c, 6, 16));
    assert_int_equal(frame.rules.cfa.reg, 6);
    assert_int_equal(frame.rules.cfa.offset, 16);
    assert_true(RUN(0, 0x0d, 5));
    assert_int_equal(frame.rules.cfa.reg, 5);
    assert_int_equal(frame.rules.cfa.offset, 8);
    assert_true(RUN(0, 0x12, 6, 0x7e));
    assert_int_equal(frame.rules.cfa.offset, 16);
    assert_true(RUN(0, 0x13, 0x7d));
    assert_int_equal(frame.rules.cfa.offset, 24);
    assert_true(RUN(0, 0x00, 0x0f, 2, 0x77, 0x08, 0x0a));
    assert_int_equal(frame.rules.cfa.expression, 2);
    assert_true(RUN(0, 0x0f, 2, 0x77, 0x08, 0x0d, 7));
    assert_int_equal(frame.rules.cfa.expression, 0);
}

static void test_where_registers_are(void **state)
{
    (void)state;
    struct cfi_frame frame;
    assert_true(RUN(0, 0x86, 2, 0x05, 3, 4, 0x11, 12, 0x7f, 0x2f, 13, 2));
    assert_rule(&frame, 6, CFI_OFFSET, -16);
    assert_rule(&frame, 3, CFI_OFFSET, -32);
    assert_rule(&frame, 12, CFI_OFFSET, 8);
    assert_rule(&frame, 13, CFI_OFFSET, 16);
    assert_true(RUN(0, 0x14, 7, 2, 0x15, 12, 0x7f, 0x09, 6, 3, 0x07, 13));
    assert_rule(&frame, 7, CFI_VALUE_OFFSET, -16);
    assert_rule(&frame, 12, CFI_VALUE_OFFSET, 8);
    assert_rule(&frame, 6, CFI_REGISTER, 3);
    assert_rule(&frame, 13, CFI_UNDEFINED, 0);
    assert_true(RUN(0, 0x10, 6, 1, 0x30, 0x16, 3, 1, 0x30, 0x08, 12));
    assert_rule(&frame, 6, CFI_EXPRESSION, 2);
    assert_rule(&frame, 3, CFI_VALUE_EXPRESSION, 6);
    assert_rule(&frame, 12, CFI_SAME, 0);
}

static void test_going_back(void **state)
{
    (void)state;
    struct cfi_frame frame;
    assert_true(RUN(0, 0x86, 2, 0xc6, 0x83, 3, 0x06, 3));
    assert_rule(&frame, 6, CFI_OFFSET, -32);
    assert_rule(&frame, 3, CFI_SAME, 0);
    assert_true(RUN(0, 0x0a, 0x0c, 6, 16, 0x83, 3, 0x0b));
    assert_int_equal(frame.rules.cfa.reg, 7);
    assert_int_equal(frame.rules.cfa.offset, 8);
    assert_rule(&frame, 3, CFI_SAME, 0);
}

static void test_what_is_only_read_over(void **state)
{
    (void)state;
    struct cfi_frame frame;
    assert_true(RUN(0, 0x2e, 0x80, 0x01, 0x2d, 0x00, 0x05, 60, 1, 0x0e, 24));
    assert_int_equal(frame.rules.cfa.offset, 24);
}

static void test_malformed_programs(void **state)
{
    (void)state;
    struct cfi_frame frame;
    assert_false(RUN(0, 0x0c, 6));                            /* cut off */
    assert_false(RUN(0, 0x0d, 99));                           /* a CFA in no register */
    assert_false(RUN(0, 0x0b));                               /* nothing was remembered */
    assert_false(RUN(0, 0x3f));                               /* no such instruction */
    assert_false(RUN(0, 0x0f, 5, 0x77));                      /* a block past the end */
    assert_false(RUN(0, 0x86, 0xff, 0xff, 0xff, 0xff, 0x7f)); /* farther than 31 bits */
    const uint8_t remember[] = {0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a};
    assert_false(run(remember, sizeof(remember), 0, &frame));
    assert_true(run(remember, sizeof(remember) - 1, 0, &frame));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_hold_from_their_location_on),
        cmocka_unit_test(test_where_the_cfa_is),
        cmocka_unit_test(test_where_registers_are),
        cmocka_unit_test(test_going_back),
        cmocka_unit_test(test_what_is_only_read_over),
        cmocka_unit_test(test_malformed_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
