#include "preload/unwind/epilogue.h"
#include "preload/unwind/instruction.h"
#include "preload/ground/module.h"

#include <gnu/libc-version.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* What the code says, held against what .eh_frame says. */
static struct {
    unsigned same;
    unsigned unknown;
    unsigned different;
} found;

static bool is_same(const struct row *code, const struct row *rules)
{
    return code->kind == ROW_FRAME && code->base_fp == rules->base_fp &&
           code->cfa_offset == rules->cfa_offset && code->fp_rule == rules->fp_rule &&
           (code->fp_rule == ROW_FP_SAME || code->fp_offset == rules->fp_offset);
}

static void compare(uint64_t key)
{
    struct row rules, code;
    row_compile(key, &rules);
    if (rules.kind != ROW_FRAME)
        return;
    if (!epilogue_row(key, &code) || code.kind != ROW_FRAME)
        found.unknown++;
    else if (is_same(&code, &rules))
        found.same++;
    else
        found.different++;
}

/* Every call in [start, start + bytes). */
static void compare_calls(const uint8_t *start, size_t bytes)
{
    struct instruction in;
    const uint8_t *at = start;
    while (at < start + bytes && instruction_read(at, &in)) {
        at += in.length;
        if (in.opcode == 0xe8 || (in.opcode == 0xff && (in.reg & 7) == 2))
            compare((uint64_t)at);
    }
}

/* The C library's own functions, as its symbol table has them. */
static void test_agrees_with_the_rules_of_libc(void **state)
{
    (void)state;
    struct module libc;
    /* What no sanitizer stands before. */
    assert_true(module_find((uint64_t)&gnu_get_libc_version, &libc));
    const ElfW(Dyn) *dynamic = module_dynamic(&libc);
    const ElfW(Sym) *symbols = module_table(dynamic, libc.bias, DT_SYMTAB);
    const char *names = module_table(dynamic, libc.bias, DT_STRTAB);
    for (const ElfW(Sym) *symbol = symbols + 1; (const char *)symbol < names; symbol++)
        if (symbol->st_shndx != SHN_UNDEF && (symbol->st_info & 15) == STT_FUNC)
            compare_calls((const uint8_t *)libc.bias + symbol->st_value, symbol->st_size);
    print_message("%u calls: %u differ, %u tell nothing\n",
                  found.same + found.different + found.unknown, found.different, found.unknown);
    assert_true(found.same > 3000);
    assert_true(found.different * 100 < found.same);
    assert_true(found.unknown * 5 < found.same);
}

/* Code of a test, in one readable page and inside this program. */
static _Alignas(16) uint8_t code[64];

static bool row_of(const void *bytes, size_t size_bytes, size_t key, struct row *row)
{
    memset(code, 0xcc, sizeof(code)); /* int3: the end of every way */
    memcpy(code, bytes, size_bytes);
    return epilogue_row((uint64_t)code + key, row);
}

#define ROW_OF(bytes, key, row) row_of(bytes, sizeof(bytes) - 1, key, row)

static void test_frames(void **state)
{
    (void)state;
    struct row row;
    /* call; add $8, %rsp; pop %rbp; pop %r12; ret */
    assert_true(ROW_OF("\xe8\0\0\0\0\x48\x83\xc4\x08\x5d\x41\x5c\xc3", 5, &row));
    assert_int_equal(row.kind, ROW_FRAME);
    assert_int_equal(row.cfa_offset, 32);
    assert_int_equal(row.fp_rule, ROW_FP_FROM_CFA);
    assert_int_equal(row.fp_offset, -24);
    assert_false(row.base_fp);
    /* call; leave; ret */
    assert_true(ROW_OF("\xe8\0\0\0\0\xc9\xc3", 5, &row));
    assert_true(row.base_fp);
    assert_int_equal(row.cfa_offset, 16);
    assert_int_equal(row.fp_offset, -16);
    /* call; je over ret's frame; hlt | add $24, %rsp; ret */
    assert_true(ROW_OF("\xe8\0\0\0\0\x74\x01\xf4\x48\x83\xc4\x18\xc3", 5, &row));
    assert_int_equal(row.cfa_offset, 32);
    /* interrupted, not called: push %rbp; pop %rbp; ret */
    assert_true(ROW_OF("\x90\x90\x90\x90\x90\x90\x90\x90\x55\x5d\xc3", 9, &row));
    assert_int_equal(row.cfa_offset, 8);
    assert_int_equal(row.fp_rule, ROW_FP_SAME);
}

static void test_code_that_does_not_tell(void **state)
{
    (void)state;
    struct row row;
    assert_false(ROW_OF("\xe8\0\0\0\0\xf4", 5, &row));                 /* hlt */
    assert_false(ROW_OF("\xe8\0\0\0\0\xff\xe0", 5, &row));             /* jmp *%rax */
    assert_false(ROW_OF("\xe8\0\0\0\0\xeb\xfe", 5, &row));             /* a loop */
    assert_false(ROW_OF("\xe8\0\0\0\0\xc3", 5, &row));                 /* sp is off: not our ret */
    assert_false(ROW_OF("\xe8\0\0\0\0\x48\x83\xe4\xf0\xc3", 5, &row)); /* and $-16, %rsp */
    assert_false(ROW_OF("\xe8\0\0\0\0\x4c\x89\xd4\xc3", 5, &row));     /* mov %r10, %rsp */
    assert_false(epilogue_row(16, &row));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_the_rules_of_libc),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_code_that_does_not_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
