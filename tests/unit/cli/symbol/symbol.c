#include "cli/symbol/symbol.h"

#include "self_profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOT_INLINED __attribute__((noinline))
#define INLINED     static inline __attribute__((always_inline))
/* Keeps a call from becoming a jump. */
#define STAY        __asm__ volatile("")

static int line_of_here, line_of_inner, line_of_outer;

NOT_INLINED static uint64_t here(void)
{
    STAY;
    return (uint64_t)__builtin_return_address(0);
}

INLINED uint64_t inner(void)
{
    line_of_here = __LINE__ + 1;
    uint64_t address = here();
    STAY;
    return address;
}

INLINED uint64_t middle(void)
{
    line_of_inner = __LINE__ + 1;
    return inner();
}

NOT_INLINED static uint64_t outer(void)
{
    line_of_outer = __LINE__ + 1;
    return middle();
}

static int plain_line;

NOT_INLINED static uint64_t plain(void)
{
    plain_line = __LINE__ + 1;
    uint64_t address = here();
    STAY;
    return address;
}

static const char *inline_chain(void)
{
    static char text[200];
    snprintf(text, sizeof(text), "inner symbol.c:%d < middle symbol.c:%d < outer symbol.c:%d",
             line_of_here, line_of_inner, line_of_outer);
    return text;
}

/* One command; its paths are those of `directory`, with the program copied there as "program". */
static void shell(const char *directory, const char *command)
{
    char *text = NULL;
    assert_true(asprintf(&text, "cd %s && { %s; } >/dev/null 2>&1", directory, command) > 0);
    assert_int_equal(system(text), 0);
    free(text);
}

struct place {
    char directory[64];
    char program[96];
};

static void place_make(struct place *place)
{
    char command[64];
    strcpy(place->directory, "/tmp/symbol-test-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->program, sizeof(place->program), "%s/program", place->directory);
    snprintf(command, sizeof(command), "cp /proc/%d/exe program", (int)getpid());
    shell(place->directory, command);
}

static void place_remove(struct place *place)
{
    char *command = NULL;
    assert_true(asprintf(&command, "rm -rf %s", place->directory) > 0);
    shell("/", command);
    free(command);
}

static void test_names_inlined_functions(void **state)
{
    (void)state;
    uint64_t addresses[] = {outer(), plain()};
    char expected[100];
    struct profile *profile = self_profile(NULL, addresses, 2);
    symbolize(profile);
    assert_string_equal(self_lines(profile, 0), inline_chain());
    snprintf(expected, sizeof(expected), "plain symbol.c:%d", plain_line);
    assert_string_equal(self_lines(profile, 1), expected);
    const struct mapping *mapping = &profile->mappings[0];
    assert_true(mapping->has_functions && mapping->has_filenames && mapping->has_line_numbers &&
                mapping->has_inline_frames);
    const struct function *function = &profile->functions[profile->locations[1].lines[0].function];
    assert_int_equal(function->start_line, plain_line - 3);
    assert_int_equal(function->filename[0], '/');
    profile_free(profile);
}

static void test_keeps_lines_that_are_there(void **state)
{
    (void)state;
    uint64_t addresses[] = {outer()};
    struct profile *profile = self_profile(NULL, addresses, 1);
    struct function known = {"known", "known", "known.go", 1};
    struct line line = {0, 7};
    profile->functions = &known;
    profile->function_count = 1;
    profile->locations[0].lines = &line;
    profile->locations[0].line_count = 1;
    symbolize(profile);
    assert_string_equal(self_lines(profile, 0), "known known.go:7");
    profile_free(profile);
}

static void test_reads_a_debug_file_by_link(void **state)
{
    (void)state;
    struct place place;
    uint64_t addresses[] = {outer()};
    place_make(&place);
    shell(place.directory, "objcopy --only-keep-debug program program.debug && "
                           "objcopy --strip-all --add-gnu-debuglink=program.debug program");
    struct profile *profile = self_profile(place.program, addresses, 1);
    symbolize(profile);
    assert_string_equal(self_lines(profile, 0), inline_chain());
    profile_free(profile);
    place_remove(&place);
}

static void test_falls_back_to_symbols(void **state)
{
    (void)state;
    struct place place;
    uint64_t addresses[] = {outer()};
    place_make(&place);
    shell(place.directory, "objcopy --strip-debug program");
    struct profile *profile = self_profile(place.program, addresses, 1);
    symbolize(profile);
    assert_string_equal(self_lines(profile, 0), "outer :0");
    assert_true(profile->mappings[0].has_functions);
    assert_false(profile->mappings[0].has_filenames);
    profile_free(profile);
    place_remove(&place);
}

static void test_reads_mini_debug_information(void **state)
{
    (void)state;
    struct place place;
    uint64_t addresses[] = {outer()};
    if (system("command -v xz >/dev/null 2>&1") != 0)
        skip();
    place_make(&place);
    shell(place.directory, "objcopy -S --keep-symbol=outer program mini && xz mini && "
                           "objcopy --strip-all --add-section .gnu_debugdata=mini.xz program");
    struct profile *profile = self_profile(place.program, addresses, 1);
    symbolize(profile);
    assert_string_equal(self_lines(profile, 0), "outer :0");
    profile_free(profile);
    place_remove(&place);
}

/* "program+0x..." with the offset in the file. */
static void expect_offset(const struct profile *profile, const char *module)
{
    char expected[200];
    const struct mapping *mapping = &profile->mappings[0];
    snprintf(
        expected, sizeof(expected), "%s+0x%llx :0", module,
        (unsigned long long)(profile->locations[0].address - mapping->start + mapping->offset));
    assert_string_equal(self_lines(profile, 0), expected);
    assert_false(mapping->has_functions);
}

static void test_missing_files_give_offsets(void **state)
{
    (void)state;
    static const char *const paths[] = {"/nonexistent/program", "[vdso]", "/dev/zero", "/tmp",
                                        "/etc/passwd"};
    static const char *const names[] = {"program", "[vdso]", "zero", "tmp", "passwd"};
    uint64_t addresses[] = {outer()};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct profile *profile = self_profile(paths[i], addresses, 1);
        symbolize(profile);
        expect_offset(profile, names[i]);
        profile_free(profile);
    }
}

static void test_another_build_id_is_another_file(void **state)
{
    (void)state;
    static const char *const build_ids[] = {"00112233445566778899aabbccddeeff00112233", "00", "xyz",
                                            "../../../../etc/passwd"};
    uint64_t addresses[] = {outer()};
    for (size_t i = 0; i < sizeof(build_ids) / sizeof(build_ids[0]); i++) {
        struct profile *profile = self_profile(NULL, addresses, 1);
        const char *slash = strrchr(profile->mappings[0].filename, '/');
        profile->mappings[0].build_id = build_ids[i];
        symbolize(profile);
        expect_offset(profile, slash + 1);
        profile_free(profile);
    }
}

static void test_unknown_build_id_takes_the_path(void **state)
{
    (void)state;
    uint64_t addresses[] = {outer()};
    struct profile *profile = self_profile(NULL, addresses, 1);
    profile->mappings[0].build_id = "";
    symbolize(profile);
    assert_string_equal(self_lines(profile, 0), inline_chain());
    profile_free(profile);
}

static void test_no_mapping_gives_the_address(void **state)
{
    (void)state;
    uint64_t addresses[] = {0xabc1};
    struct profile *profile = self_profile(NULL, addresses, 1);
    profile->locations[0].mapping = PROFILE_NONE;
    symbolize(profile);
    assert_string_equal(self_lines(profile, 0), "[unknown]+0xabc0 :0");
    profile_free(profile);
}

static void test_addresses_outside_the_file(void **state)
{
    (void)state;
    uint64_t addresses[] = {1, 0, UINT64_MAX, UINT64_MAX / 2};
    struct profile *profile = self_profile(NULL, addresses, 4);
    symbolize(profile);
    for (size_t i = 0; i < 4; i++)
        assert_true(profile->locations[i].line_count == 1);
    profile_free(profile);
}

/* Every byte of this program's code. */
static void test_many_locations_take_seconds(void **state)
{
    (void)state;
    enum { COUNT = 50000 };
    uint64_t *addresses = calloc(COUNT, sizeof(*addresses)), base = outer();
    for (size_t i = 0; i < COUNT; i++)
        addresses[i] = base + (i * 7919) % 16384;
    struct profile *profile = self_profile(NULL, addresses, COUNT);
    clock_t start = clock();
    symbolize(profile);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5.0);
    profile_free(profile);
    free(addresses);
}

int main(void)
{
    unsetenv("DEBUGINFOD_URLS");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_inlined_functions),
        cmocka_unit_test(test_keeps_lines_that_are_there),
        cmocka_unit_test(test_reads_a_debug_file_by_link),
        cmocka_unit_test(test_falls_back_to_symbols),
        cmocka_unit_test(test_reads_mini_debug_information),
        cmocka_unit_test(test_missing_files_give_offsets),
        cmocka_unit_test(test_another_build_id_is_another_file),
        cmocka_unit_test(test_unknown_build_id_takes_the_path),
        cmocka_unit_test(test_no_mapping_gives_the_address),
        cmocka_unit_test(test_addresses_outside_the_file),
        cmocka_unit_test(test_many_locations_take_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
