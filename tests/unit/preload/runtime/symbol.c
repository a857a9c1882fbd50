#include "preload/runtime/symbol.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* In .symtab alone. */
int symbol_test_variable = 1;
__attribute__((noinline, used)) static void symbol_test_function(void)
{
    symbol_test_variable++;
}

static struct module module_of(const void *address)
{
    struct module module;
    assert_true(module_find((uint64_t)address, &module));
    return module;
}

/* What the loader says of names of functions and variables, none of which a sanitizer has. nftw() has an older
   version. */
static void test_exports_are_the_loaders(void **state)
{
    static const char *const names[] = {"environ", "getauxval", "stdout", "nftw", "strverscmp"};
    struct module libc = module_of((const void *)getenv);
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(symbol_find(&libc, names[i]), (uint64_t)dlsym(RTLD_DEFAULT, names[i]));
    assert_int_equal(symbol_find(&libc, "no_such_name"), 0);
    assert_int_equal(symbol_find(&libc, "_cmocka_run_group_tests"), 0); /* another's */
    assert_int_equal(symbol_find(&libc, "errno"), 0);  /* each thread has its own */
    assert_int_equal(symbol_find(&libc, "memcpy"), 0); /* code that chooses code: no address */
}

static void test_any_library(void **state)
{
    (void)state;
    bool is_only = false;
    assert_int_equal(symbol_find_library("_cmocka_run_group_tests", &is_only),
                     (uint64_t)dlsym(RTLD_DEFAULT, "_cmocka_run_group_tests"));
    assert_true(is_only);
    assert_int_equal(symbol_find_library("no_such_name", &is_only), 0);
    assert_false(is_only);
    assert_int_equal(symbol_find_library("symbol_test_variable", NULL), 0); /* the program's */
}

static size_t read_own(struct symbol_wanted wanted[3], const char *path)
{
    struct module own;
    wanted[0] = (struct symbol_wanted){"symbol_test_function", 0};
    wanted[1] = (struct symbol_wanted){"symbol_test_nothing", 0};
    wanted[2] = (struct symbol_wanted){"symbol_test_variable", 0};
    assert_true(module_program(&own));
    return symbol_read_file(path, own.bias, wanted, 3);
}

static void test_table_of_the_file(void **state)
{
    struct symbol_wanted wanted[3];
    (void)state;
    assert_int_equal(read_own(wanted, "/proc/self/exe"), 2);
    assert_int_equal(wanted[0].address, (uint64_t)&symbol_test_function);
    assert_int_equal(wanted[1].address, 0);
    assert_int_equal(wanted[2].address, (uint64_t)&symbol_test_variable);
    wanted[2].address = 7; /* known already */
    assert_int_equal(symbol_read_file("/proc/self/exe", 0, wanted, 3), 0);
    assert_int_equal(wanted[2].address, 7);
    assert_int_equal(read_own(wanted, "/no/such/file"), 0);
    assert_int_equal(read_own(wanted, "/dev/null"), 0);
}

/* A copy of this program in memory; its length. */
static size_t copy_own(char **bytes)
{
    struct stat status;
    int fd = open("/proc/self/exe", O_RDONLY);
    assert_int_equal(fstat(fd, &status), 0);
    *bytes = malloc((size_t)status.st_size);
    assert_int_equal(read(fd, *bytes, (size_t)status.st_size), status.st_size);
    close(fd);
    return (size_t)status.st_size;
}

static size_t read_bytes(const char *bytes, size_t length)
{
    char path[] = "/tmp/symbol-test-XXXXXX";
    struct symbol_wanted wanted[3];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
    close(fd);
    size_t found = read_own(wanted, path);
    unlink(path);
    return found;
}

/* Whatever is missing or wrong, nothing outside of the file is read. */
static void test_damaged_files(void **state)
{
    char *bytes;
    size_t length = copy_own(&bytes);
    (void)state;
    for (size_t cut = 0; cut < length; cut = cut * 5 / 4 + 7)
        assert_true(read_bytes(bytes, cut) <= 2);
    ElfW(Ehdr) header;
    memcpy(&header, bytes, sizeof(header));
    for (unsigned i = 0; i < header.e_shnum; i++) {
        ElfW(Shdr) section, *place = (void *)(bytes + header.e_shoff + i * sizeof(section));
        memcpy(&section, place, sizeof(section));
        ElfW(Shdr) damaged[] = {section, section, section, section};
        damaged[0].sh_offset = UINT64_MAX - 8;
        damaged[1].sh_size = UINT64_MAX;
        damaged[2].sh_link = UINT32_MAX;
        damaged[3].sh_size = 0;
        if (section.sh_type != SHT_SYMTAB && section.sh_type != SHT_STRTAB)
            continue;
        for (size_t k = 0; k < sizeof(damaged) / sizeof(damaged[0]); k++) {
            memcpy(place, &damaged[k], sizeof(section));
            assert_true(read_bytes(bytes, length) <= 2);
        }
        ElfW(Shdr) stripped = section;
        stripped.sh_type = SHT_NOBITS;
        memcpy(place, &stripped, sizeof(section));
        assert_int_equal(read_bytes(bytes, length), section.sh_type == SHT_SYMTAB ? 0 : 2);
        memcpy(place, &section, sizeof(section));
    }
    free(bytes);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exports_are_the_loaders),
        cmocka_unit_test(test_any_library),
        cmocka_unit_test(test_table_of_the_file),
        cmocka_unit_test(test_damaged_files),
    };
    symbol_test_function();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
