#include "cli/profile/input.h"
#include "cli/profile/profile.h"

#include "format/box.h"
#include "format/pprof.h"
#include "format/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

enum { BYTES_MAX = 4096 };

struct message {
    unsigned char bytes[BYTES_MAX];
    struct wire_out out;
};

static void begin(struct message *message)
{
    message->out = (struct wire_out){message->bytes, BYTES_MAX, 0, false};
}

static void put_text(struct message *message, const char *text)
{
    wire_put_bytes(&message->out, PPROF_STRING_TABLE, text, strlen(text));
}

/* A nested message of number fields: pairs of field and value, ended by field 0. */
static void put_numbers(struct message *message, unsigned field, const uint64_t *pairs)
{
    struct message inner;
    begin(&inner);
    for (; pairs[0] != 0; pairs += 2)
        wire_put_number(&inner.out, (unsigned)pairs[0], pairs[1]);
    wire_put_bytes(&message->out, field, inner.bytes, inner.out.used_bytes);
}

#define NUMBERS(message, field, ...) put_numbers(message, field, (const uint64_t[]){__VA_ARGS__, 0})

enum { TEXT_SPACE = 1, TEXT_BYTES, TEXT_FILE, TEXT_ID, TEXT_NAME, TEXT_SOURCE, TEXT_FACT };

static void put_texts(struct message *message)
{
    static const char *const texts[] = {"",     "inuse_space", "bytes",  "/bin/app",
                                        "ab12", "leak",        "leak.c", "heapdiff.pid: 42"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        put_text(message, texts[i]);
}

static void put_code(struct message *message, uint64_t first_id)
{
    NUMBERS(message, PPROF_MAPPING, PPROF_MAPPING_ID, first_id, PPROF_MAPPING_START, 0x1000,
            PPROF_MAPPING_LIMIT, 0x2000, PPROF_MAPPING_FILENAME, TEXT_FILE, PPROF_MAPPING_BUILD_ID,
            TEXT_ID);
    NUMBERS(message, PPROF_FUNCTION, PPROF_FUNCTION_ID, first_id, PPROF_FUNCTION_NAME, TEXT_NAME,
            PPROF_FUNCTION_FILENAME, TEXT_SOURCE);
    struct message location, line;
    begin(&location);
    begin(&line);
    wire_put_number(&line.out, PPROF_LINE_FUNCTION, first_id);
    wire_put_number(&line.out, PPROF_LINE_LINE, 7);
    wire_put_number(&location.out, PPROF_LOCATION_ID, first_id);
    wire_put_number(&location.out, PPROF_LOCATION_MAPPING, first_id);
    wire_put_number(&location.out, PPROF_LOCATION_ADDRESS, 0x1234);
    wire_put_bytes(&location.out, PPROF_LOCATION_LINE, line.bytes, line.out.used_bytes);
    wire_put_bytes(&message->out, PPROF_LOCATION, location.bytes, location.out.used_bytes);
}

/* One sample of 100 bytes at leak.c:7, with every kind of field. */
static void put_profile(struct message *message, uint64_t first_id)
{
    begin(message);
    NUMBERS(message, PPROF_SAMPLE_TYPE, PPROF_VALUE_TYPE_TYPE, TEXT_SPACE, PPROF_VALUE_TYPE_UNIT,
            TEXT_BYTES);
    NUMBERS(message, PPROF_SAMPLE, PPROF_SAMPLE_LOCATION, first_id, PPROF_SAMPLE_VALUE, 100);
    put_code(message, first_id);
    put_texts(message);
    wire_put_number(&message->out, PPROF_TIME_NANOS, 5000);
    wire_put_number(&message->out, PPROF_COMMENT, TEXT_FACT);
}

/* Decodes from memory of exactly that size, so that a sanitizer sees any overrun. */
static struct profile *decode(const void *bytes, size_t size_bytes, const char **reason)
{
    void *copy = malloc(size_bytes ? size_bytes : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size_bytes);
    struct profile *profile = profile_decode(copy, size_bytes, reason);
    free(copy);
    return profile;
}

static void assert_is_the_profile(struct profile *profile)
{
    assert_non_null(profile);
    assert_int_equal(profile->sample_count, 1);
    assert_int_equal(profile->samples[0].values[0], 100);
    assert_int_equal(profile->samples[0].depth, 1);
    const struct location *location = &profile->locations[profile->samples[0].locations[0]];
    assert_int_equal(location->address, 0x1234);
    assert_int_equal(location->lines[0].line, 7);
    assert_string_equal(profile->functions[location->lines[0].function].name, "leak");
    assert_string_equal(profile->mappings[location->mapping].build_id, "ab12");
    assert_string_equal(profile->types[profile->default_type].type, "inuse_space");
    assert_int_equal(profile->time_nanos, 5000);
    assert_int_equal(profile_fact_number(profile, "pid", -1), 42);
    assert_null(profile_fact(profile, "pi"));
    profile_free(profile);
}

static size_t pack(const struct message *message, unsigned char *packed)
{
    z_stream stream = {.next_in = (z_const Bytef *)message->bytes,
                       .avail_in = (uInt)message->out.used_bytes,
                       .next_out = packed,
                       .avail_out = BYTES_MAX};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return stream.total_out;
}

static void reads_raw_and_packed(void **state)
{
    (void)state;
    struct message message;
    unsigned char packed[2 * BYTES_MAX];
    const char *reason;
    put_profile(&message, 1);
    assert_is_the_profile(decode(message.bytes, message.out.used_bytes, &reason));
    size_t size_bytes = pack(&message, packed);
    assert_is_the_profile(decode(packed, size_bytes, &reason));
}

/* Ids may be any numbers. */
static void reads_ids_in_disorder(void **state)
{
    (void)state;
    struct message message;
    const char *reason;
    put_profile(&message, 1ull << 40);
    assert_is_the_profile(decode(message.bytes, message.out.used_bytes, &reason));
}

/* gzip allows a file to be several packed pieces in a row. */
static void reads_packed_pieces(void **state)
{
    (void)state;
    struct message message, half;
    unsigned char packed[2 * BYTES_MAX];
    const char *reason;
    put_profile(&message, 1);
    half = message;
    half.out.used_bytes /= 2;
    size_t first = pack(&half, packed);
    size_t rest = message.out.used_bytes - half.out.used_bytes;
    memmove(half.bytes, message.bytes + half.out.used_bytes, rest);
    half.out.used_bytes = rest;
    size_t second = pack(&half, packed + first);
    assert_is_the_profile(decode(packed, first + second, &reason));
}

static void assert_refused(const void *bytes, size_t size_bytes, const char *why)
{
    const char *reason = NULL;
    assert_null(decode(bytes, size_bytes, &reason));
    assert_non_null(reason);
    assert_non_null(strstr(reason, why));
}

static void refuses_what_is_no_profile(void **state)
{
    (void)state;
    assert_refused("", 0, "empty");
    assert_refused("hello world\n", 12, "not a profile");
    assert_refused("\x1f", 1, "truncated gzip");
    assert_refused(BOX_MAGIC, sizeof BOX_MAGIC, "recover");
    assert_refused("\177ELF\2\1\1", 7, "ELF");
    assert_refused("heap profile: 1: 2 [3: 4] @", 27, "text");
    assert_refused("\x32\x00", 2, "no sample types");
    assert_refused("\x12\xff\xff\xff\xff\x0f", 6, "not a profile");
    assert_refused("{\"a\": 1}", 8, "JSON");
}

/* No part of a profile is one, packed or not; and none makes us read past its end. */
static void refuses_every_truncation(void **state)
{
    (void)state;
    struct message message;
    unsigned char packed[2 * BYTES_MAX];
    const char *reason;
    put_profile(&message, 1);
    size_t size_bytes = pack(&message, packed);
    for (size_t i = 0; i < size_bytes; i++) {
        assert_null(decode(packed, i, &reason));
        assert_non_null(reason);
    }
    for (size_t i = 0; i < message.out.used_bytes; i++)
        profile_free(decode(message.bytes, i, &reason));
    packed[size_bytes] = 'x';
    assert_refused(packed, size_bytes + 1, "other bytes follow");
    packed[size_bytes / 2] ^= 0xff;
    assert_refused(packed, size_bytes, "damaged gzip");
}

static void refuses_references_to_nothing(void **state)
{
    (void)state;
    struct message message;
    put_profile(&message, 1);
    NUMBERS(&message, PPROF_SAMPLE, PPROF_SAMPLE_LOCATION, 9, PPROF_SAMPLE_VALUE, 1);
    assert_refused(message.bytes, message.out.used_bytes, "refers to nothing");
    put_profile(&message, 1);
    NUMBERS(&message, PPROF_SAMPLE, PPROF_SAMPLE_LOCATION, 1);
    assert_refused(message.bytes, message.out.used_bytes, "too few or too many values");
    put_profile(&message, 1);
    NUMBERS(&message, PPROF_FUNCTION, PPROF_FUNCTION_ID, 2, PPROF_FUNCTION_NAME, 99);
    assert_refused(message.bytes, message.out.used_bytes, "string");
    put_profile(&message, 3);
    NUMBERS(&message, PPROF_FUNCTION, PPROF_FUNCTION_ID, 3, PPROF_FUNCTION_NAME, 1);
    assert_refused(message.bytes, message.out.used_bytes, "twice");
    put_profile(&message, 1);
    wire_put_number(&message.out, PPROF_COMMENT, 99);
    assert_refused(message.bytes, message.out.used_bytes, "string");
}

static void refuses_too_many_types(void **state)
{
    (void)state;
    struct message message;
    begin(&message);
    for (int i = 0; i < 65; i++)
        NUMBERS(&message, PPROF_SAMPLE_TYPE, PPROF_VALUE_TYPE_TYPE, TEXT_SPACE);
    put_texts(&message);
    assert_refused(message.bytes, message.out.used_bytes, "over 64 sample types");
}

/* 140 MiB of zeros in 140 KB. */
static void refuses_gzip_bombs(void **state)
{
    (void)state;
    enum { ZEROS_BYTES = 1 << 20, PACKED_BYTES = 1 << 18 };
    unsigned char *zeros = calloc(1, ZEROS_BYTES), *packed = malloc(PACKED_BYTES);
    z_stream stream = {.next_out = packed, .avail_out = PACKED_BYTES};
    deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    for (int i = 0; i < 140; i++) {
        stream.next_in = zeros;
        stream.avail_in = ZEROS_BYTES;
        deflate(&stream, i == 139 ? Z_FINISH : Z_NO_FLUSH);
    }
    deflateEnd(&stream);
    assert_refused(packed, stream.total_out, "200 times its size");
    free(zeros);
    free(packed);
}

static void loads_files(void **state)
{
    (void)state;
    const char *reason;
    assert_null(profile_load("/nowhere/at.all", &reason));
    assert_string_equal(reason, "No such file or directory");
    assert_null(profile_load("/", &reason));
    assert_string_equal(reason, "Is a directory");
    assert_null(profile_load("/dev/null", &reason));
    assert_string_equal(reason, "empty file");
    assert_null(profile_load("/proc/self/exe", &reason));
    assert_string_equal(reason, "an ELF file, not a profile");
}

static void knows_what_type_is_meant(void **state)
{
    (void)state;
    struct value_type types[] = {
        {"alloc_objects", "count"}, {"alloc_space", "bytes"}, {"inuse_space", "bytes"}};
    struct profile profile = {.types = types, .type_count = 3};
    assert_int_equal(profile_type_meant(&profile, "alloc_space"), 1);
    assert_int_equal(profile_type_meant(&profile, "inuse"), 2);
    assert_int_equal(profile_type_meant(&profile, "0"), 0);
    static const char *const wrong[] = {"", "alloc", "3", "4294967296", "space", "-1", "1x"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(profile_type_meant(&profile, wrong[i]), PROFILE_NONE);
    char *text = profile_types_text(&profile);
    assert_string_equal(text, "alloc_objects, alloc_space, inuse_space");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_raw_and_packed),
        cmocka_unit_test(reads_ids_in_disorder),
        cmocka_unit_test(reads_packed_pieces),
        cmocka_unit_test(refuses_what_is_no_profile),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(refuses_references_to_nothing),
        cmocka_unit_test(refuses_too_many_types),
        cmocka_unit_test(refuses_gzip_bombs),
        cmocka_unit_test(loads_files),
        cmocka_unit_test(knows_what_type_is_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
