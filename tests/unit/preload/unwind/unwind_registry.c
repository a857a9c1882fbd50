/* Code made at run time, with and without unwind sections of its own. x86_64. */
#include "preload/unwind/unwind_registry.h"
#include "preload/unwind/unwind.h"

#include "stack_probe.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

enum { PAGE_BYTES = 4096, MANY = 1000, THREADS = 4, ROUNDS = 2000 };

typedef void (*leaf_fn)(void);

/* push %rbp; sub $64, %rsp; mov $1, %ebp; call *%rdi; add $64, %rsp; pop %rbp; ret: its caller cannot be
   found by the frame pointer. */
static const uint8_t code_bytes[] = {0x55, 0x48, 0x83, 0xec, 0x40, 0xbd, 1,    0,    0,
                                     0,    0xff, 0xd7, 0x48, 0x83, 0xc4, 0x40, 0x5d, 0xc3};

static const uint8_t common_entry[] = {20, 0,    0,  0, 0, 0,    0, 0, 1,    'z', 'R', 0,
                                       1,  0x78, 16, 1, 0, 0x0c, 7, 8, 0x90, 1,   0,   0};

/* After start and size: no more data; after 1 byte CFA = rsp + 16, rbp there; after 4 more rsp + 80 */
static const uint8_t program[] = {0, 0x41, 0x0e, 16, 0x86, 2, 0x44, 0x0e, 80, 0, 0, 0};

struct section {
    uint8_t common[sizeof(common_entry)];
    struct {
        uint32_t length, back;
        uint8_t start[8], size_bytes[8], program[sizeof(program)];
    } function;
    uint32_t end;
};

static void section_write(struct section *section, uintptr_t start, uint64_t size_bytes)
{
    memcpy(section->common, common_entry, sizeof(common_entry));
    section->function.length = sizeof(section->function) - 4;
    section->function.back = sizeof(common_entry) + 4;
    memcpy(section->function.start, &start, 8);
    memcpy(section->function.size_bytes, &size_bytes, 8);
    memcpy(section->function.program, program, sizeof(program));
    section->end = 0;
}

static leaf_fn *code;
static struct section *section; /* about it */

static int before_each(void **state)
{
    uint8_t *page = mmap(NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    memcpy(page, code_bytes, sizeof(code_bytes));
    code = (leaf_fn *)(void *)page;
    section = (struct section *)(void *)(page + PAGE_BYTES);
    section_write(section, (uintptr_t)page, sizeof(code_bytes));
    return stack_probe_open(state);
}

static int after_each(void **state)
{
    (void)state;
    return munmap((void *)code, 2 * PAGE_BYTES);
}

static void probe(void)
{
    stack_probe_alone(stack_probe_top());
}

/* Whether a stack leads through the code to this function, and on. */
static __attribute__((noinline)) bool passes(void)
{
    void (*run)(leaf_fn) = (void (*)(leaf_fn))(void *)code;
    run(probe);
    __asm__ volatile("");
    int at = stack_probe_find(code);
    return at >= 0 && stack_probe_find(passes) == at + 1 && !stack_probe_capture.ended;
}

static void test_registered_code_unwinds(void **state)
{
    (void)state;
    assert_false(passes());
    assert_true(registry_add(section));
    assert_true(passes());
    assert_true(registry_remove(section));
    assert_false(passes());
    assert_false(registry_remove(section));
    assert_false(registry_remove(NULL));
}

/* LLVM's __register_frame() takes one function's entry. */
static void test_one_entry_alone(void **state)
{
    (void)state;
    section->end = 0x1234; /* what lies behind is none of it */
    assert_true(registry_add(&section->function));
    assert_true(passes());
    assert_true(registry_remove(&section->function));
}

/* Other code in the same place, with another frame. */
static void test_code_is_replaced(void **state)
{
    (void)state;
    static const uint8_t larger = 0x60;
    assert_true(registry_add(section));
    assert_true(passes());
    assert_true(registry_remove(section));
    memcpy((uint8_t *)(void *)code + 4, &larger, 1);
    memcpy((uint8_t *)(void *)code + 15, &larger, 1);
    section->function.program[8] = 0x70;
    assert_true(registry_add(section));
    assert_true(passes());
    assert_true(registry_remove(section));
}

static void test_nonsense_is_refused(void **state)
{
    (void)state;
    uint8_t *hole =
        mmap(NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static const uint32_t lengths[] = {0, 1, 0x7fffffff, 0xfffffff0, 0xffffffff};
    mprotect(hole + PAGE_BYTES, PAGE_BYTES, PROT_NONE);
    assert_false(registry_add(NULL));
    assert_false(registry_add(hole + PAGE_BYTES));
    assert_false(registry_add(hole + PAGE_BYTES - 2));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        memcpy(hole, &lengths[i], 4);
        assert_false(registry_add(hole));
    }
    memcpy(hole + PAGE_BYTES - sizeof(common_entry), common_entry, sizeof(common_entry));
    assert_false(registry_add(hole + PAGE_BYTES - sizeof(common_entry))); /* no end */
    munmap(hole, 2 * PAGE_BYTES);
}

/* The program unmapped it and said nothing. */
static void test_a_section_that_has_gone(void **state)
{
    (void)state;
    struct cfi_section found;
    struct section *gone =
        mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(gone, section, sizeof(*section));
    assert_true(registry_add(gone));
    assert_true(registry_find((uintptr_t)code, &found));
    munmap(gone, PAGE_BYTES);
    assert_false(registry_find((uintptr_t)code, &found));
    assert_false(passes());
    assert_true(registry_remove(gone));
}

static struct section many[MANY];

static void test_many(void **state)
{
    (void)state;
    enum { AWAY = 1 << 20 }; /* addresses that nothing else is about */
    struct cfi_section found;
    for (uintptr_t i = 0; i < MANY; i++) {
        section_write(&many[i], AWAY + i * 16, 16);
        assert_true(registry_add(&many[i]));
    }
    for (int kept = 1; kept >= 0; kept--) {
        for (uintptr_t i = 0; i < MANY; i++) {
            assert_int_equal(registry_find(AWAY + i * 16 + 15, &found), kept);
            assert_true(!kept || found.start == many[i].common);
        }
        for (uintptr_t i = 0; kept && i < MANY; i++)
            assert_true(registry_remove(&many[i]));
    }
    uint64_t bytes = registry_own_bytes();
    assert_true(registry_add(&many[0]) && registry_remove(&many[0]));
    assert_int_equal(registry_own_bytes(), bytes); /* room is used again */
}

/* Adds, finds and removes a section of its own; others come and go beside it. */
static void *churn(void *argument)
{
    struct section *own = argument;
    struct cfi_section found;
    uintptr_t start;
    memcpy(&start, own->function.start, 8);
    for (int i = 0; i < ROUNDS; i++) {
        if (!registry_add(own) || !registry_find(start, &found) || found.start != own->common ||
            !registry_remove(own) || registry_find(start, &found))
            return own;
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    void *failed;
    for (uintptr_t i = 0; i < THREADS; i++) {
        section_write(&many[i], (i + 1) << 20, 64);
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &many[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, before_each, after_each)
    const struct CMUnitTest tests[] = {
        TEST(test_registered_code_unwinds),
        TEST(test_one_entry_alone),
        TEST(test_code_is_replaced),
        TEST(test_nonsense_is_refused),
        TEST(test_a_section_that_has_gone),
        TEST(test_many),
        TEST(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
