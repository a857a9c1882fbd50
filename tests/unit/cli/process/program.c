#include "cli/process/program.h"

#include "sanitizer.h"
#include "scratch.h"

#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

static void write_program(const char *name, const void *bytes, size_t size_bytes)
{
    scratch_write(name, bytes, size_bytes);
    assert_int_equal(chmod(name, 0755), 0);
}

static void write_elf(const char *name, unsigned machine, unsigned part_type)
{
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr part;
        char rest[256];
    } file = {0};
    memcpy(file.header.e_ident, ELFMAG, SELFMAG);
    file.header.e_ident[EI_CLASS] = ELFCLASS64;
    file.header.e_machine = (Elf64_Half)machine;
    file.header.e_phoff = sizeof(file.header);
    file.header.e_phnum = 1;
    file.part.p_type = part_type;
    write_program(name, &file, sizeof(file));
}

static void elf_files_are_told_apart(void **state)
{
    (void)state;
    Elf64_Ehdr self;
    FILE *file = fopen("/proc/self/exe", "rb");
    assert_non_null(file);
    assert_int_equal(fread(&self, sizeof(self), 1, file), 1);
    fclose(file);
    write_elf("static", self.e_machine, PT_LOAD);
    write_elf("dynamic", self.e_machine, PT_INTERP);
    write_elf("foreign", EM_S390, PT_INTERP);
    write_elf("ld-linux.so.9", self.e_machine, PT_LOAD);
    assert_int_equal(program_check_file("static"), PROGRAM_STATIC);
    assert_int_equal(program_check_file("dynamic"), PROGRAM_DYNAMIC);
    assert_int_equal(program_check_file("foreign"), PROGRAM_FOREIGN);
    assert_int_equal(program_check_file("ld-linux.so.9"), PROGRAM_DYNAMIC);
    assert_int_equal(program_check_file("/proc/self/exe"),
                     SANITIZER_ADDRESS || SANITIZER_THREAD ? PROGRAM_SANITIZED : PROGRAM_DYNAMIC);
    assert_int_equal(program_check_file("absent"), PROGRAM_UNREADABLE);
}

static void scripts_are_their_interpreters(void **state)
{
    (void)state;
    static const char good[] = "#! /bin/sh -e\n", bad[] = "#!/no/such\n", plain[] = "echo\n";
    static const char self[] = "#!./self\n";
    write_program("good", good, strlen(good));
    write_program("bad", bad, strlen(bad));
    write_program("plain", plain, strlen(plain));
    write_program("self", self, strlen(self));
    write_program("empty", "", 0);
    assert_int_equal(program_check_file("good"), program_check_file("/bin/sh"));
    assert_int_equal(program_check_file("bad"), PROGRAM_SCRIPT_LOST);
    assert_int_equal(program_check_file("plain"), program_check_file("/bin/sh"));
    assert_int_equal(program_check_file("self"), PROGRAM_SCRIPT_LOST);
    assert_int_equal(program_check_file("empty"), program_check_file("/bin/sh"));
}

static void commands_are_found(void **state)
{
    (void)state;
    char *path = program_find("sh");
    assert_non_null(path);
    assert_int_equal(path[0], '/');
    free(path);
    assert_null(program_find("no-such-command-at-all"));
    assert_int_equal(errno, ENOENT);
    assert_null(program_find("/tmp"));
    scratch_write("data", "x", 1);
    assert_null(program_find("./data"));
    assert_int_equal(errno, EACCES);
    setenv("PATH", ":/nowhere", 1);
    write_program("local", "", 0);
    path = program_find("local");
    assert_non_null(path);
    free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(elf_files_are_told_apart),
        TEST(scripts_are_their_interpreters),
        TEST(commands_are_found),
    };
    return cmocka_run_group_tests_name("cli/program", tests, NULL, NULL);
}
