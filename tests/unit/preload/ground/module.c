#include "preload/ground/module.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
#include <cmocka.h>

#include "plugin.h"

static int data_of_ours = 1;

static uint64_t own_code(void)
{
    return (uint64_t)&own_code;
}

/* The build id as elfutils reads it from the file. */
static int file_build_id(const char *path, const void **id, Elf **elf)
{
    elf_version(EV_CURRENT);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    *elf = elf_begin(fd, ELF_C_READ, NULL);
    assert_non_null(*elf);
    int bytes = (int)dwelf_elf_gnu_build_id(*elf, id);
    close(fd);
    return bytes;
}

static void assert_build_id(uint64_t address, const char *path)
{
    uint8_t id[32];
    const void *want;
    Elf *elf;
    struct module module;
    int want_bytes = file_build_id(path, &want, &elf);
    assert_true(want_bytes > 0); /* every linker of today writes one */
    assert_true(module_find(address, &module));
    memset(id, 0, sizeof(id));
    assert_int_equal(module_build_id(&module, id, sizeof(id)), want_bytes);
    assert_memory_equal(id, want, want_bytes);
    assert_int_equal(module_build_id(&module, id, (size_t)want_bytes), want_bytes);
    assert_int_equal(module_build_id(&module, id, (size_t)want_bytes - 1), 0);
    elf_end(elf);
}

static void test_the_program(void **state)
{
    (void)state;
    struct module module;
    assert_true(module_find(own_code(), &module));
    assert_string_equal(module.name, "");
    assert_in_range(own_code(), module.start, module.end - 1);
    assert_in_range((uint64_t)&data_of_ours, module.start, module.end - 1);
    assert_int_equal(module.segments, getauxval(AT_PHDR));
    assert_int_equal(module.segment_count, getauxval(AT_PHNUM));
    assert_build_id(own_code(), "/proc/self/exe");
}

static void test_a_library(void **state)
{
    (void)state;
    uint64_t address;
    struct module module;
    void *plugin = plugin_open(UNIT_PLUGIN, &address);
    assert_true(module_find(address, &module));
    assert_string_equal(module.name, UNIT_PLUGIN);
    assert_in_range(address, module.start, module.end - 1);
    assert_true(module.segment_count > 0);
    assert_build_id(address, UNIT_PLUGIN);
    plugin_close(plugin);
    assert_false(module_find(address, &module));
}

/* The build id of the C library: its program headers are laid out by another linker. */
static void test_libc(void **state)
{
    (void)state;
    Dl_info info;
    void *function = dlsym(RTLD_NEXT, "getpid");
    assert_non_null(function);
    assert_true(dladdr(function, &info) != 0);
    assert_build_id((uint64_t)function, info.dli_fname);
}

static void test_no_object_there(void **state)
{
    (void)state;
    struct module module;
    void *heap = malloc(1);
    assert_false(module_find((uint64_t)heap, &module));
    assert_false(module_find((uint64_t)&module, &module));
    assert_false(module_find(0, &module));
    assert_false(module_find(16, &module));
    assert_false(module_find(UINT64_MAX, &module));
    free(heap);
}

/* Addresses of the kernel's page of code lie in stacks too, under signal handlers on some machines. */
static void test_vdso(void **state)
{
    (void)state;
    struct module module;
    uint64_t start = getauxval(AT_SYSINFO_EHDR);
    if (start == 0 || !module_find(start + 64, &module)) {
        print_message("the loader lists no vdso here\n");
        skip();
    }
    assert_int_equal(module.start, start);
    assert_int_equal(strncmp(module.name, "linux-vdso", 10), 0);
}

static void test_what_it_exports(void **state)
{
    (void)state;
    uint64_t address;
    struct module program, module;
    void *plugin = plugin_open(UNIT_PLUGIN, &address);
    assert_true(module_find(address, &module));
    assert_true(module_exports(&module, address));
    assert_false(module_exports(&module, module.start));
    plugin_close(plugin);
    assert_true(module_program(&program));
    assert_string_equal(program.name, "");
    assert_in_range(own_code(), program.start, program.end - 1);
}

/* As glibc's loader leaves it, as musl's does, and as user-mode Linux links its page of code: above its bias. */
static void test_tables(void **state)
{
    (void)state;
    static char object[8192];
    ElfW(Dyn) *dynamic = (ElfW(Dyn) *)object;
    uint64_t table = (uint64_t)&object[6000];
    const uint64_t biases[] = {0, (uint64_t)object, (uint64_t)object - 0xffffffffff700000};
    for (unsigned i = 0; i < 3; i++) {
        dynamic[0] = (ElfW(Dyn)){.d_tag = DT_STRTAB, .d_un.d_ptr = table};
        assert_ptr_equal(module_table(dynamic, biases[i], DT_STRTAB), &object[6000]);
        dynamic[0].d_un.d_ptr = table - biases[i];
        assert_ptr_equal(module_table(dynamic, biases[i], DT_STRTAB), &object[6000]);
        assert_null(module_table(dynamic, biases[i], DT_SYMTAB));
    }
    assert_null(module_table(NULL, 0, DT_STRTAB));
}

struct listed {
    uint64_t address; /* looked for */
    struct module found;
    unsigned times;
};

static void look_for(const struct module *module, void *context)
{
    struct listed *listed = context;
    if (listed->address < module->start || listed->address >= module->end)
        return;
    listed->found = *module;
    listed->times++;
}

/* The list and the lookup tell the same. */
static void assert_listed(uint64_t address)
{
    struct listed listed = {.address = address};
    struct module module;
    module_each(look_for, &listed);
    assert_int_equal(listed.times, 1);
    assert_true(module_find(address, &module));
    assert_string_equal(listed.found.name, module.name);
    assert_int_equal(listed.found.bias, module.bias);
    assert_int_equal(listed.found.segment_count, module.segment_count);
}

static void test_each(void **state)
{
    (void)state;
    uint64_t address;
    void *plugin = plugin_open(UNIT_PLUGIN, &address);
    assert_listed(address);
    assert_listed(own_code());
    assert_listed((uint64_t)&data_of_ours);
    assert_listed((uint64_t)dlsym(RTLD_NEXT, "getpid"));
    plugin_close(plugin);
    struct listed listed = {.address = address};
    module_each(look_for, &listed);
    assert_int_equal(listed.times, 0);
}

/* A module as if loaded from these bytes: one PT_NOTE segment. */
static unsigned build_id_of(const void *notes, size_t size_bytes, size_t claimed_bytes)
{
    uint8_t id[32];
    const ElfW(Phdr) segment = {.p_type = PT_NOTE, .p_vaddr = 0, .p_memsz = claimed_bytes};
    const struct module module = {.bias = (uint64_t)notes,
                                  .start = (uint64_t)notes,
                                  .end = (uint64_t)notes + size_bytes,
                                  .segments = &segment,
                                  .segment_count = 1};
    return module_build_id(&module, id, sizeof(id));
}

/* An exact copy on the heap, so that a sanitizer sees a read past its end. */
static unsigned build_id_of_copy(const uint32_t *words, size_t count, size_t claimed_bytes)
{
    uint32_t *copy = malloc(count * sizeof(*words));
    assert_non_null(copy);
    memcpy(copy, words, count * sizeof(*words));
    unsigned bytes = build_id_of(copy, count * sizeof(*words), claimed_bytes);
    free(copy);
    return bytes;
}

enum { GNU = 0x00554e47 }; /* "GNU" */

static void test_notes(void **state)
{
    (void)state;
    const uint32_t good[] = {4, 4, NT_GNU_BUILD_ID, GNU, 1};
    const uint32_t second[] = {4, 1, 1, GNU, 9, 4, 8, NT_GNU_BUILD_ID, GNU, 1, 2};
    const uint32_t other_name[] = {4, 4, NT_GNU_BUILD_ID, GNU + 1, 1};
    const uint32_t name_past_the_end[] = {4000, 4, NT_GNU_BUILD_ID, GNU, 1};
    const uint32_t text_past_the_end[] = {4, 8, NT_GNU_BUILD_ID, GNU, 1};
    const uint32_t huge[] = {4, UINT32_MAX, NT_GNU_BUILD_ID, GNU, 1};
    const uint32_t too_long[4 + 16] = {4, 64, NT_GNU_BUILD_ID, GNU};
    assert_int_equal(build_id_of_copy(good, 5, 20), 4);
    assert_int_equal(build_id_of_copy(second, 11, 44), 8);
    assert_int_equal(build_id_of_copy(other_name, 5, 20), 0);
    assert_int_equal(build_id_of_copy(name_past_the_end, 5, 20), 0);
    assert_int_equal(build_id_of_copy(text_past_the_end, 5, 20), 0);
    assert_int_equal(build_id_of_copy(huge, 5, 20), 0);
    assert_int_equal(build_id_of_copy(too_long, 20, 80), 0);
    assert_int_equal(build_id_of_copy(good, 2, 8), 0);
    assert_int_equal(build_id_of_copy(good, 5, 21), 0); /* the segment ends beyond the object */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_program), cmocka_unit_test(test_a_library),
        cmocka_unit_test(test_libc),        cmocka_unit_test(test_no_object_there),
        cmocka_unit_test(test_vdso),        cmocka_unit_test(test_each),
        cmocka_unit_test(test_notes),       cmocka_unit_test(test_what_it_exports),
        cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
