#include "cli/profile/id_map.h"
#include "cli/ground/pool.h"
#include "cli/profile/token_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void gives_equal_bytes_one_token(void **state)
{
    (void)state;
    struct token_table table = {0};
    bool is_new;
    char text[32];
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < 5000; i++) {
            snprintf(text, sizeof text, "name %u", i);
            assert_int_equal(token_of(&table, text, strlen(text), &is_new), i);
            assert_int_equal(is_new, round == 0);
        }
    assert_int_equal(token_of(&table, "name 1\0", 7, NULL), 5000);
    assert_int_equal(token_of(&table, "", 0, NULL), 5001);
    assert_int_equal(token_of_text(&table, ""), 5001);
    assert_int_equal(table.count, 5002);
    token_table_clear(&table);
    assert_int_equal(table.count, 0);
}

static void finds_ids(void **state)
{
    (void)state;
    struct id_map map = {0};
    for (uint64_t id = 1; id <= 3000; id++)
        id_map_put(&map, id);
    assert_true(id_map_index(&map));
    assert_false(map.disordered);
    assert_int_equal(id_map_find(&map, 3000), 2999);
    assert_int_equal(id_map_find(&map, 0), -1);
    assert_int_equal(id_map_find(&map, 3001), -1);
    id_map_clear(&map);
    for (uint64_t id = 3000; id >= 1; id--)
        id_map_put(&map, id << 40);
    assert_true(id_map_index(&map));
    assert_int_equal(id_map_find(&map, 1ull << 40), 2999);
    assert_int_equal(id_map_find(&map, 1), -1);
    id_map_clear(&map);
    id_map_put(&map, 7);
    id_map_put(&map, 7);
    assert_false(id_map_index(&map));
    id_map_clear(&map);
    id_map_put(&map, 0);
    assert_false(id_map_index(&map));
    id_map_clear(&map);
}

static void pools_memory(void **state)
{
    (void)state;
    struct pool *pool = pool_new();
    for (size_t size = 0; size < 3000; size += 7) {
        unsigned char *memory = pool_alloc(pool, size, 1);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(memory[i], 0);
        memset(memory, 0xff, size);
        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
    }
    unsigned char *large = pool_alloc(pool, 3, 1 << 20);
    large[(3 << 20) - 1] = 1;
    assert_string_equal(pool_text(pool, "abcdef", 3), "abc");
    assert_true(pool_bytes(pool) >= 3 << 20);
    pool_free(pool);
    pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_equal_bytes_one_token),
        cmocka_unit_test(finds_ids),
        cmocka_unit_test(pools_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
