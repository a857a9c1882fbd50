#include "format/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void varint_roundtrip(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 127, 128, 300, 1ull << 32, 1ull << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        unsigned char bytes[WIRE_VARINT_BYTES_MAX];
        struct wire_out out = {.bytes = bytes, .room_bytes = sizeof(bytes)};
        wire_put_varint(&out, values[i]);
        assert_int_equal(out.used_bytes, wire_varint_bytes(values[i]));
        struct wire_in in = {bytes, out.used_bytes};
        uint64_t value;
        assert_true(wire_take_varint(&in, &value));
        assert_true(value == values[i]);
        assert_int_equal(in.left_bytes, 0);
    }
}

static void assert_stored_as_put(uint64_t value)
{
    unsigned char put[WIRE_VARINT_BYTES_MAX], stored[WIRE_STORE_BYTES_MAX + 1];
    struct wire_out out = {.bytes = put, .room_bytes = sizeof(put)};
    wire_put_varint(&out, value);
    stored[WIRE_STORE_BYTES_MAX] = 0x55;
    assert_int_equal(wire_store_varint(stored, value) - stored, out.used_bytes);
    assert_memory_equal(stored, put, out.used_bytes);
    assert_int_equal(stored[WIRE_STORE_BYTES_MAX], 0x55);
}

/* Around every power of two, and with every bit by itself. */
static void stored_varints_are_those_put(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t power = 1ull << bit;
        assert_stored_as_put(power - 1);
        assert_stored_as_put(power);
        assert_stored_as_put(power + 1);
        assert_stored_as_put(~power);
        assert_stored_as_put(power * 0x9e3779b97f4a7c15u);
    }
    assert_stored_as_put(UINT64_MAX);
}

static void message_roundtrip(void **state)
{
    (void)state;
    unsigned char bytes[64];
    struct wire_out out = {.bytes = bytes, .room_bytes = sizeof(bytes)};
    wire_put_number(&out, 1, 300);
    wire_put_number(&out, 2, 0); /* left out */
    wire_put_bytes(&out, 16, "text", 4);
    assert_false(out.full);
    assert_int_equal(out.used_bytes, wire_number_bytes(1, 300) + wire_head_bytes(16, 4) + 4);
    struct wire_in in = {bytes, out.used_bytes};
    struct wire_field field;
    assert_int_equal(wire_next(&in, &field), WIRE_FIELD);
    assert_int_equal(field.number, 1);
    assert_int_equal(field.value, 300);
    assert_int_equal(wire_next(&in, &field), WIRE_FIELD);
    assert_int_equal(field.number, 16);
    assert_int_equal(field.content.left_bytes, 4);
    assert_memory_equal(field.content.at, "text", 4);
    assert_int_equal(wire_next(&in, &field), WIRE_END);
}

static void full_stays_full(void **state)
{
    (void)state;
    unsigned char bytes[4] = {0, 0, 0, 0x55};
    struct wire_out out = {.bytes = bytes, .room_bytes = 3};
    wire_put_number(&out, 1, 1);
    wire_put_bytes(&out, 2, "long", 4);
    assert_true(out.full);
    wire_put_number(&out, 1, 1);
    assert_true(out.used_bytes <= 3);
    assert_int_equal(bytes[3], 0x55);
}

static void fixed_fields_are_read(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {0x0d, 1, 2, 0, 0, 0x11, 1, 0, 0, 0, 0, 0, 0, 0x80};
    struct wire_in in = {bytes, sizeof(bytes)};
    struct wire_field field;
    assert_int_equal(wire_next(&in, &field), WIRE_FIELD);
    assert_true(field.value == 0x201);
    assert_int_equal(wire_next(&in, &field), WIRE_FIELD);
    assert_true(field.value == 0x8000000000000001ull);
    assert_int_equal(wire_next(&in, &field), WIRE_END);
}

static void assert_bad(const char *bytes, size_t size_bytes)
{
    struct wire_in in = {(const unsigned char *)bytes, size_bytes};
    struct wire_field field;
    assert_int_equal(wire_next(&in, &field), WIRE_BAD);
}

static void hostile_bytes_are_refused(void **state)
{
    (void)state;
    assert_bad("\x80", 1);                                              /* tag cut short */
    assert_bad("\x00\x01", 2);                                          /* field 0 */
    assert_bad("\x08", 1);                                              /* no value */
    assert_bad("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12); /* 11-byte varint */
    assert_bad("\x0a\x05xxxx", 6);                                      /* longer than left */
    assert_bad("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);     /* 2^64 - 1 bytes */
    assert_bad("\x0d\x01\x02\x03", 4);                                  /* fixed32 cut short */
    assert_bad("\x09\x01\x02\x03\x04", 5);                              /* fixed64 cut short */
    assert_bad("\x0b\x0c", 2);                                          /* a group */
    assert_bad("\x0c", 1);                                              /* a group's end */
    assert_bad("\x0e\x00", 2);                                          /* type 6 */
    assert_bad("\xf8\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", 11);     /* field too large */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varint_roundtrip),      cmocka_unit_test(stored_varints_are_those_put),
        cmocka_unit_test(message_roundtrip),     cmocka_unit_test(full_stays_full),
        cmocka_unit_test(fixed_fields_are_read), cmocka_unit_test(hostile_bytes_are_refused),
    };
    return cmocka_run_group_tests_name("format/wire", tests, NULL, NULL);
}
