#include "preload/unwind/row.h"
#include "preload/unwind/unwind.h"
#include "preload/unwind/unwind_object.h"

#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* The bytes of libc's code: addresses with rules of every kind. */
struct code {
    uintptr_t start;
    uintptr_t end;
};

static struct code code;

static int find_code(struct dl_phdr_info *info, size_t size, void *context)
{
    struct code *found = context;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && (header->p_flags & PF_X) &&
            (uintptr_t)qsort - start < header->p_memsz) {
            *found = (struct code){start, start + header->p_memsz};
            return 1;
        }
    }
    return 0;
}

static int before_each(void **state)
{
    (void)state;
    unwind_init();
    return dl_iterate_phdr(find_code, &code) == 1 ? 0 : 1;
}

static bool same(const struct row *a, const struct row *b)
{
    return a->kind == b->kind && a->base_fp == b->base_fp && a->cfa_offset == b->cfa_offset &&
           a->cfa_add == b->cfa_add && a->fp_rule == b->fp_rule && a->fp_offset == b->fp_offset &&
           a->return_offset == b->return_offset;
}

/* What a lookup gives is what was compiled, after packing, growth and in a second lookup. */
static bool is_right(uintptr_t key)
{
    struct row compiled;
    struct row first;
    struct row second;
    row_compile(key, &compiled);
    row_unpack(row_lookup(row_table(), key), &first);
    row_unpack(row_lookup(row_table(), key), &second);
    return same(&compiled, &first) && same(&compiled, &second);
}

static void test_every_rule_survives_its_word(void **state)
{
    (void)state;
    unsigned kinds[ROW_FULL + 1] = {0};
    for (uintptr_t key = code.start; key < code.end; key += 13) {
        struct row row;
        assert_true(is_right(key));
        row_unpack(row_lookup(row_table(), key), &row);
        kinds[row.kind]++;
    }
    assert_true(kinds[ROW_FRAME] > 50000);
    assert_true(kinds[ROW_FRAME] > kinds[ROW_FULL]);
    assert_true(row_own_bytes() < 8 << 20);
}

/* Many keys of one home: they stand one after the other, then the table grows. */
static void test_keys_that_share_a_slot(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (uintptr_t key = code.start + 5; key < code.end; key += 1 << 12)
            assert_true(is_right(key));
    }
}

static void test_keys_that_are_no_address(void **state)
{
    (void)state;
    const uintptr_t keys[] = {
        0, 1, 4095, 4096, 1ul << 47, 1ul << 48, (1ul << 48) + code.start, UINTPTR_MAX};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct row row;
        row_unpack(row_lookup(row_table(), keys[i]), &row);
        assert_true(row.kind == ROW_NONE || (row.kind == ROW_FRAME && row.cfa_offset == 0));
    }
    assert_true(is_right(code.start + 500)); /* a neighbour in the low 48 bits */
}

static void test_forgetting_empties_the_table(void **state)
{
    (void)state;
    const struct row_table *table = row_table();
    for (uintptr_t key = code.start; key < code.start + 999; key++)
        row_lookup(table, key);
    assert_true(row_table()->used > 0);
    row_forget();
    table = row_table();
    assert_int_equal(table->used, 0);
    for (uint64_t i = 0; i <= table->mask + ROW_PROBES; i++)
        assert_int_equal(table->words[i], 0);
    assert_true(is_right(code.start + 500));
}

static void *look_up_everything(void *context)
{
    unsigned seed = *(unsigned *)context;
    for (int i = 0; i < 30000; i++) {
        uintptr_t key = code.start + (uintptr_t)rand_r(&seed) % (code.end - code.start);
        if (!is_right(key))
            return NULL;
        if (i % 5000 == 4999)
            row_forget();
    }
    return context;
}

static void test_threads_share_one_table(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    unsigned seeds[THREADS] = {1, 2, 3, 4};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_up_everything, &seeds[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_non_null(result);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, before_each)
    const struct CMUnitTest tests[] = {
        TEST(test_every_rule_survives_its_word), TEST(test_keys_that_share_a_slot),
        TEST(test_keys_that_are_no_address),     TEST(test_forgetting_empties_the_table),
        TEST(test_threads_share_one_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
