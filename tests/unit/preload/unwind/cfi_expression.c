#include "preload/unwind/cfi_expression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum { BLOCK_BYTES_MAX = 24, CFA = 0x1000 };

struct expression {
    const char *name;
    uint8_t code[BLOCK_BYTES_MAX];
    uint8_t length;
    bool holds; /* it has a value */
    uintptr_t value;
};

static const uintptr_t words[] = {0x1122334455667788, 7};

#define CODE(...) {__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__})

/* The CFA is on the stack already; register 3 points to `words`, register 6 is 100. */
static const struct expression expressions[] = {
    {"the CFA itself", CODE(0x96), true, CFA},
    {"const1u", CODE(0x08, 0xff), true, 255},
    {"const1s", CODE(0x09, 0xff), true, UINTPTR_MAX},
    {"const2u", CODE(0x0a, 0xff, 0xff), true, 0xffff},
    {"const2s", CODE(0x0b, 0xfe, 0xff), true, (uintptr_t)-2},
    {"const4u", CODE(0x0c, 0xff, 0xff, 0xff, 0xff), true, 0xffffffff},
    {"const4s", CODE(0x0d, 0xfd, 0xff, 0xff, 0xff), true, (uintptr_t)-3},
    {"const8u", CODE(0x0e, 8, 7, 6, 5, 4, 3, 2, 1), true, 0x0102030405060708},
    {"addr", CODE(0x03, 8, 7, 6, 5, 4, 3, 2, 1), true, 0x0102030405060708},
    {"constu", CODE(0x10, 0x80, 0x01), true, 128},
    {"consts", CODE(0x11, 0x80, 0x7f), true, (uintptr_t)-128},
    {"dup, plus", CODE(0x12, 0x22), true, 2 * CFA},
    {"drop", CODE(0x35, 0x13), true, CFA},
    {"over, minus", CODE(0x35, 0x14, 0x1c), true, (uintptr_t)5 - CFA},
    {"pick", CODE(0x35, 0x36, 0x15, 2), true, CFA},
    {"swap, minus", CODE(0x35, 0x16, 0x1c), true, (uintptr_t)5 - CFA},
    {"rot puts the first third", CODE(0x31, 0x32, 0x17, 0x13), true, CFA},
    {"abs", CODE(0x09, 0x80, 0x19), true, 128},
    {"and", CODE(0x08, 0x0f, 0x3c, 0x1a), true, 12},
    {"or", CODE(0x38, 0x31, 0x21), true, 9},
    {"xor", CODE(0x3f, 0x31, 0x27), true, 14},
    {"div is signed", CODE(0x09, 0xf6, 0x33, 0x1b), true, (uintptr_t)-3},
    {"mod", CODE(0x3a, 0x33, 0x1d), true, 1},
    {"mul", CODE(0x3a, 0x33, 0x1e), true, 30},
    {"neg", CODE(0x31, 0x1f), true, UINTPTR_MAX},
    {"not", CODE(0x30, 0x20), true, UINTPTR_MAX},
    {"plus_uconst", CODE(0x31, 0x23, 0x80, 0x01), true, 129},
    {"shl", CODE(0x31, 0x34, 0x24), true, 16},
    {"shl by 64", CODE(0x31, 0x08, 64, 0x24), true, 0},
    {"shr", CODE(0x09, 0xff, 0x08, 63, 0x25), true, 1},
    {"shra", CODE(0x09, 0x80, 0x33, 0x26), true, (uintptr_t)-16},
    {"shra by 64", CODE(0x09, 0x80, 0x08, 64, 0x26), true, UINTPTR_MAX},
    {"eq", CODE(0x31, 0x31, 0x29), true, 1},
    {"ge is signed", CODE(0x09, 0xff, 0x31, 0x2a), true, 0},
    {"gt", CODE(0x32, 0x31, 0x2b), true, 1},
    {"le", CODE(0x32, 0x31, 0x2c), true, 0},
    {"lt", CODE(0x31, 0x32, 0x2d), true, 1},
    {"ne", CODE(0x31, 0x32, 0x2e), true, 1},
    {"bra taken", CODE(0x37, 0x31, 0x28, 1, 0, 0x13, 0x12, 0x1c), true, 0},
    {"bra not taken", CODE(0x37, 0x30, 0x28, 1, 0, 0x13), true, CFA},
    {"skip to the end", CODE(0x37, 0x2f, 1, 0, 0x13), true, 7},
    {"breg", CODE(0x76, 0x7f), true, 99},
    {"bregx", CODE(0x92, 6, 1), true, 101},
    {"deref", CODE(0x73, 8, 0x06), true, 7},
    {"deref_size", CODE(0x73, 0, 0x94, 2), true, 0x7788},
    {"the linkage table's", CODE(0x76, 8, 0x08, 0x1b, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22),
     true, 116},
    {"division by 0", CODE(0x31, 0x30, 0x1b), false, 0},
    {"remainder by 0", CODE(0x31, 0x30, 0x1d), false, 0},
    {"an empty stack", CODE(0x13, 0x22), false, 0},
    {"a stack that is left empty", CODE(0x13), false, 0},
    {"an endless loop", CODE(0x2f, 0xfd, 0xff), false, 0},
    {"a loop that pushes", CODE(0x12, 0x2f, 0xfc, 0xff), false, 0},
    {"a jump past the end", CODE(0x2f, 1, 0), false, 0},
    {"a jump before the start", CODE(0x2f, 0xfc, 0xff), false, 0},
    {"an unreadable address", CODE(0x30, 0x06), false, 0},
    {"a size of 9", CODE(0x73, 0, 0x94, 9), false, 0},
    {"no such register", CODE(0x92, 0x7f, 0), false, 0},
    {"no such operation", CODE(0xff), false, 0},
    {"an operand cut off", CODE(0x0a, 1), false, 0},
};

static bool evaluate(const uint8_t *code, uint8_t length, uint8_t claimed, uintptr_t *value)
{
    uint8_t block[BLOCK_BYTES_MAX + 2] = {0, claimed};
    uintptr_t registers[ARCH_REGISTERS] = {0};
    struct memory memory = {0};
    memcpy(block + 2, code, length);
    struct cfi_section section = {block, block + 2 + length, NULL};
    struct cfi_machine machine = {&section, registers, &memory};
    registers[3] = (uintptr_t)words;
    registers[6] = 100;
    *value = CFA;
    return cfi_evaluate(&machine, 1, true, value);
}

static void test_each_operation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
        const struct expression *expression = &expressions[i];
        uintptr_t value;
        bool holds = evaluate(expression->code, expression->length, expression->length, &value);
        if (holds != expression->holds || (holds && value != expression->value))
            print_error("%s: %d %lx\n", expression->name, holds, (unsigned long)value);
        assert_int_equal(holds, expression->holds);
        if (holds)
            assert_int_equal(value, expression->value);
    }
}

static void test_a_block_longer_than_its_section(void **state)
{
    (void)state;
    const uint8_t code[] = {0x31, 0x32};
    uintptr_t value;
    assert_false(evaluate(code, sizeof(code), 3, &value));
    assert_true(evaluate(code, sizeof(code), 2, &value));
    assert_int_equal(value, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_operation),
        cmocka_unit_test(test_a_block_longer_than_its_section),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
