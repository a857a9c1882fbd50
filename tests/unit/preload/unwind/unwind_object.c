#include "preload/unwind/unwind_object.h"

#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static unsigned objects;

/* The loader's lookup and our own list know the same of an address. */
static void assert_same(uintptr_t address)
{
    struct object ours;
    struct object theirs;
    assert_true(object_find(address, &theirs));
    assert_true(object_find_listed(address, &ours));
    assert_true((uintptr_t)theirs.start <= address && address < (uintptr_t)theirs.end);
    assert_true((uintptr_t)ours.start <= address && address < (uintptr_t)ours.end);
    assert_ptr_equal(ours.section.index, theirs.section.index);
    if (ours.section.index == NULL)
        return;
    assert_true(ours.section.start <= ours.section.index);
    assert_true(theirs.section.start <= theirs.section.index);
    assert_true(ours.section.index < ours.section.end);
    assert_true(theirs.section.index < theirs.section.end);
}

static int visit(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    objects++;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X))
            continue;
        assert_same(start);
        assert_same(start + header->p_memsz - 1);
    }
    return 0;
}

static void test_the_list_agrees_with_the_loader(void **state)
{
    (void)state;
    object_init();
    objects = 0;
    dl_iterate_phdr(visit, NULL);
    assert_true(objects >= 3);
}

static void test_addresses_of_no_object(void **state)
{
    (void)state;
    struct object object;
    int here;
    void *block = malloc(100);
    const uintptr_t addresses[] = {0, 1, (uintptr_t)&here, (uintptr_t)block, UINTPTR_MAX};
    object_init();
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        assert_false(object_find(addresses[i], &object));
        assert_false(object_find_listed(addresses[i], &object));
    }
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_list_agrees_with_the_loader),
        cmocka_unit_test(test_addresses_of_no_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
