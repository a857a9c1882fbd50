#include "preload/runtime/perfdata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* Counters as a JVM of this byte order has them: a number, a text, and a vector of numbers. */
enum { PROLOGUE_BYTES = 32, ENTRY_BYTES = 20, MEMORY_BYTES = 512 };

struct memory {
    _Alignas(8) unsigned char bytes[MEMORY_BYTES];
    int32_t end;
};

static void put(struct memory *memory, size_t at, int32_t value)
{
    memcpy(memory->bytes + at, &value, sizeof(value));
}

static void add(struct memory *memory, const char *name, char type, const void *data, int32_t bytes)
{
    int32_t at = memory->end, data_at = (ENTRY_BYTES + (int32_t)strlen(name) + 1 + 7) / 8 * 8;
    int32_t length = (data_at + bytes + 7) / 8 * 8;
    put(memory, (size_t)at, length);
    put(memory, (size_t)at + 4, ENTRY_BYTES);
    put(memory, (size_t)at + 8, type == 'B' ? bytes : bytes / 8 - 1);
    memory->bytes[at + 12] = (unsigned char)type;
    put(memory, (size_t)at + 16, data_at);
    memcpy(memory->bytes + at + ENTRY_BYTES, name, strlen(name) + 1);
    memcpy(memory->bytes + at + data_at, data, (size_t)bytes);
    memory->end += length;
    int32_t count;
    memcpy(&count, memory->bytes + 28, sizeof(count));
    put(memory, 28, count + 1);
}

static struct memory sample(void)
{
    static const uint64_t numbers[2] = {7, 8};
    struct memory memory = {.end = PROLOGUE_BYTES};
    put(&memory, 0, (int32_t)0xc0c0feca);
    memory.bytes[4] = 1;
    memory.bytes[5] = 2;
    put(&memory, 24, PROLOGUE_BYTES);
    add(&memory, "sun.one", 'J', numbers, 8);
    add(&memory, "sun.cause", 'B', "No GC", 6);
    add(&memory, "sun.many", 'J', numbers, 16);
    add(&memory, "sun.last", 'J', numbers + 1, 8);
    return memory;
}

static void test_finds_counters(void **state)
{
    (void)state;
    struct memory memory = sample();
    size_t room = 0;
    assert_true(perfdata_is(memory.bytes, MEMORY_BYTES));
    assert_int_equal(*perfdata_number(memory.bytes, MEMORY_BYTES, "sun.one"), 7);
    assert_int_equal(*perfdata_number(memory.bytes, MEMORY_BYTES, "sun.last"), 8);
    assert_string_equal(perfdata_text(memory.bytes, MEMORY_BYTES, "sun.cause", &room), "No GC");
    assert_int_equal(room, 6);
}

static void test_takes_nothing_for_another(void **state)
{
    (void)state;
    struct memory memory = sample();
    size_t room;
    assert_null(perfdata_number(memory.bytes, MEMORY_BYTES, "sun"));
    assert_null(perfdata_number(memory.bytes, MEMORY_BYTES, "sun.one.more"));
    assert_null(perfdata_number(memory.bytes, MEMORY_BYTES, "sun.cause"));
    assert_null(perfdata_number(memory.bytes, MEMORY_BYTES, "sun.many"));
    assert_null(perfdata_text(memory.bytes, MEMORY_BYTES, "sun.one", &room));
}

static void test_other_layouts_are_unknown(void **state)
{
    (void)state;
    for (size_t at = 0; at < 6; at++) {
        struct memory memory = sample();
        memory.bytes[at] ^= 1;
        assert_false(perfdata_is(memory.bytes, MEMORY_BYTES));
        assert_null(perfdata_number(memory.bytes, MEMORY_BYTES, "sun.one"));
    }
    struct memory memory = sample();
    assert_false(perfdata_is(memory.bytes, PROLOGUE_BYTES - 1));
}

/* It is another's memory: whatever is there, nothing beyond it is read (as the sanitizer sees). */
static void test_nonsense_stays_within(void **state)
{
    (void)state;
    for (size_t at = 24; at < MEMORY_BYTES; at++)
        for (int value = 0; value < 4; value++) {
            struct memory memory = sample();
            memory.bytes[at] = (unsigned char)(value * 85);
            size_t room = 0;
            const uint64_t *last = perfdata_number(memory.bytes, MEMORY_BYTES, "sun.last");
            const char *cause = perfdata_text(memory.bytes, MEMORY_BYTES, "sun.cause", &room);
            const char *end = (const char *)memory.bytes + MEMORY_BYTES;
            assert_true(!last || (const char *)(last + 1) <= end);
            assert_true(!cause || room <= (size_t)(end - cause));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_counters),
        cmocka_unit_test(test_takes_nothing_for_another),
        cmocka_unit_test(test_other_layouts_are_unknown),
        cmocka_unit_test(test_nonsense_stays_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
