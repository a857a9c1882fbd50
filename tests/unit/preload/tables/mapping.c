#include "preload/tables/mapping.h"

#include "preload/ground/arena.h"
#include "preload/ground/module.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
#include <cmocka.h>

#include "plugin.h"

enum { TIMES = 200 };

static int data_of_ours = 1;

static uint64_t own_code(void)
{
    return (uint64_t)&own_code;
}

static int before_all(void **state)
{
    (void)state;
    long error;
    mapping_init("/opt/app/bin/app", "/start/here");
    return arena_open(NULL, "app", 1, &error) ? 0 : 1;
}

static struct box_mapping *mapping_at(uint32_t index)
{
    assert_int_not_equal(index, 0);
    assert_true(index < arena.tables[BOX_MAPPINGS].count);
    return arena_entry(BOX_MAPPINGS, index);
}

static const char *path_of(uint32_t index)
{
    return arena_entry(BOX_TEXT, mapping_at(index)->path);
}

/* What the kernel says: the line of /proc/self/maps around `address`. */
static void kernel_mapping(uint64_t address, struct box_mapping *mapping)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    *mapping = (struct box_mapping){0};
    while (fgets(line, sizeof(line), maps)) {
        assert_int_equal(sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &mapping->start,
                                &mapping->limit, &mapping->offset),
                         3);
        if (address >= mapping->start && address < mapping->limit)
            break;
    }
    fclose(maps);
}

static void assert_as_the_kernel_says(uint32_t index, uint64_t address)
{
    struct box_mapping want;
    const struct box_mapping *mapping = mapping_at(index);
    kernel_mapping(address, &want);
    assert_int_equal(mapping->start, want.start);
    assert_int_equal(mapping->limit, want.limit);
    assert_int_equal(mapping->offset, want.offset);
}

static void assert_build_id(uint32_t index, uint64_t address)
{
    uint8_t id[BOX_BUILD_ID_BYTES_MAX] = {0};
    struct module module;
    assert_true(module_find(address, &module));
    assert_int_equal(mapping_at(index)->build_id_bytes, module_build_id(&module, id, sizeof(id)));
    assert_memory_equal(mapping_at(index)->build_id, id, sizeof(id));
}

static void test_the_program(void **state)
{
    (void)state;
    uint32_t index = mapping_intern(own_code());
    assert_as_the_kernel_says(index, own_code());
    assert_build_id(index, own_code());
    assert_true(mapping_at(index)->build_id_bytes > 0);
    assert_int_equal(mapping_at(index)->flags, BOX_MAPPING_MAIN);
    assert_string_equal(path_of(index), "/opt/app/bin/app");
    assert_false(mapping_is_dead(index));
}

static void test_one_entry_each(void **state)
{
    (void)state;
    uint32_t program = mapping_intern(own_code());
    uint32_t libc = mapping_intern((uint64_t)dlsym(RTLD_NEXT, "getpid"));
    uint32_t count = arena.tables[BOX_MAPPINGS].count;
    assert_int_not_equal(program, libc);
    assert_int_equal(mapping_at(libc)->flags, 0);
    assert_non_null(strstr(path_of(libc), "/libc"));
    for (uint32_t i = 0; i < TIMES; i++) {
        assert_int_equal(mapping_intern(own_code() + i % 2), program);
        assert_int_equal(mapping_intern(mapping_at(libc)->start + i), libc);
        assert_int_equal(mapping_intern(mapping_at(libc)->limit - 1 - i), libc);
    }
    assert_int_equal(arena.tables[BOX_MAPPINGS].count, count);
    /* Another segment of the same file is another mapping. */
    assert_int_not_equal(mapping_intern((uint64_t)&data_of_ours), program);
}

static void test_nothing_there(void **state)
{
    (void)state;
    uint32_t count = arena.tables[BOX_MAPPINGS].count;
    void *heap = malloc(1);
    assert_int_equal(mapping_intern((uint64_t)heap), 0);
    assert_int_equal(mapping_intern(0), 0);
    assert_int_equal(mapping_intern(UINT64_MAX), 0);
    assert_int_equal(arena.tables[BOX_MAPPINGS].count, count);
    assert_false(mapping_is_dead(BOX_NONE));
    free(heap);
}

static void test_unloading(void **state)
{
    (void)state;
    uint64_t address;
    void *plugin = plugin_open(UNIT_PLUGIN, &address);
    uint32_t program = mapping_intern(own_code()), index = mapping_intern(address);
    assert_as_the_kernel_says(index, address);
    assert_build_id(index, address);
    assert_string_equal(path_of(index), UNIT_PLUGIN);
    assert_false(mapping_sweep(mapping_survey()));
    plugin_close(plugin);
    assert_true(mapping_sweep(mapping_survey()));
    assert_true(mapping_is_dead(index));
    assert_false(mapping_is_dead(program));
    assert_string_equal(path_of(index), UNIT_PLUGIN); /* what was recorded stays */
    assert_int_equal(mapping_intern(address), 0);
    assert_false(mapping_sweep(mapping_survey()));
    assert_int_equal(mapping_intern(own_code()), program);
}

/* Loaded again, most likely at the same addresses: not what it was. */
static void test_loading_again(void **state)
{
    (void)state;
    uint64_t address;
    void *plugin = plugin_open(UNIT_PLUGIN, &address);
    uint32_t first = mapping_intern(address);
    plugin_close(plugin);
    assert_true(mapping_sweep(mapping_survey()));
    plugin = plugin_open(UNIT_PLUGIN, &address);
    uint32_t second = mapping_intern(address);
    assert_int_not_equal(second, first);
    assert_true(mapping_is_dead(first));
    assert_false(mapping_is_dead(second));
    plugin_close(plugin);
    assert_true(mapping_sweep(mapping_survey()));
}

/* A name that the program gave relative to where it was started. */
static void test_relative_name(void **state)
{
    (void)state;
    char directory[4096], want[4096], *slash;
    uint64_t address;
    assert_non_null(getcwd(directory, sizeof(directory)));
    strcpy(want, UNIT_PLUGIN);
    slash = strrchr(want, '/');
    *slash = '\0';
    assert_int_equal(chdir(want), 0);
    char name[256];
    snprintf(name, sizeof(name), "./%s", slash + 1);
    void *plugin = plugin_open(name, &address);
    snprintf(want, sizeof(want), "/start/here/%s", name);
    assert_string_equal(path_of(mapping_intern(address)), want);
    assert_false(mapping_sweep(mapping_survey()));
    plugin_close(plugin);
    assert_true(mapping_sweep(mapping_survey()));
    assert_int_equal(chdir(directory), 0);
}

static void test_vdso(void **state)
{
    (void)state;
    uint64_t start = getauxval(AT_SYSINFO_EHDR);
    uint32_t index = start ? mapping_intern(start + 64) : BOX_NONE;
    if (index == BOX_NONE) {
        print_message("the loader lists no vdso here\n");
        skip();
    }
    assert_string_equal(path_of(index), "[vdso]");
    assert_int_equal(mapping_at(index)->start, start);
    assert_false(mapping_sweep(mapping_survey()));
}

/* Another thread has loaded a library between the two steps: the survey did not know it. */
static void test_loaded_after_the_survey(void **state)
{
    (void)state;
    uint64_t address;
    uint32_t survey = mapping_survey();
    void *plugin = plugin_open(UNIT_PLUGIN, &address);
    uint32_t index = mapping_intern(address);
    assert_false(mapping_sweep(survey));
    assert_false(mapping_is_dead(index));
    uint32_t later = mapping_survey(), latest = mapping_survey();
    assert_false(mapping_sweep(latest)); /* two threads, in whichever order */
    assert_false(mapping_sweep(later));
    plugin_close(plugin);
    assert_true(mapping_sweep(mapping_survey()));
    assert_true(mapping_is_dead(index));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_program),   cmocka_unit_test(test_one_entry_each),
        cmocka_unit_test(test_nothing_there), cmocka_unit_test(test_unloading),
        cmocka_unit_test(test_loading_again), cmocka_unit_test(test_relative_name),
        cmocka_unit_test(test_vdso),          cmocka_unit_test(test_loaded_after_the_survey),
    };
    return cmocka_run_group_tests(tests, before_all, NULL);
}
