#include "format/gzip.h"

#include "buffer_sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <cmocka.h>

/* Unpacks with zlib, which checks CRC and size; returns the content's size. */
static size_t unpack(const struct buffer_sink *packed, unsigned char *content, size_t room_bytes)
{
    z_stream stream = {0};
    assert_int_equal(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
    stream.next_in = packed->bytes;
    stream.avail_in = (unsigned)packed->size_bytes;
    stream.next_out = content;
    stream.avail_out = (unsigned)room_bytes;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    size_t size_bytes = stream.total_out;
    inflateEnd(&stream);
    return size_bytes;
}

static void roundtrip(size_t size_bytes, size_t room_bytes, size_t piece_bytes)
{
    struct buffer_sink packed;
    struct gzip gzip;
    unsigned char *content = malloc(size_bytes + 1);
    unsigned char *unpacked = malloc(size_bytes + 1);
    unsigned char *buffer = malloc(room_bytes);
    for (size_t i = 0; i < size_bytes; i++)
        content[i] = (unsigned char)(i * 2654435761u >> 13);
    buffer_sink_open(&packed, 0);
    gzip_open(&gzip, &packed.sink, buffer, room_bytes);
    for (size_t at = 0; at < size_bytes; at += piece_bytes) {
        size_t piece = size_bytes - at < piece_bytes ? size_bytes - at : piece_bytes;
        assert_true(gzip.sink.write(&gzip.sink, content + at, piece));
    }
    assert_true(gzip_close(&gzip));
    assert_int_equal(unpack(&packed, unpacked, size_bytes + 1), size_bytes);
    assert_memory_equal(unpacked, content, size_bytes);
    buffer_sink_free(&packed);
    free(buffer);
    free(unpacked);
    free(content);
}

static void zlib_reads_it(void **state)
{
    (void)state;
    roundtrip(0, GZIP_BUFFER_BYTES_MIN, 1);
    roundtrip(1, GZIP_BUFFER_BYTES_MIN, 1);
    roundtrip(59, GZIP_BUFFER_BYTES_MIN, 59); /* exactly one block */
    roundtrip(1000, GZIP_BUFFER_BYTES_MIN, 7);
    roundtrip(65535, GZIP_BUFFER_BYTES_BEST, 65535);
    roundtrip(300000, GZIP_BUFFER_BYTES_BEST, 4096);
    roundtrip(300000, 1 << 20, 300000); /* more room than a block can have */
}

static void failure_below_is_told(void **state)
{
    (void)state;
    unsigned char buffer[GZIP_BUFFER_BYTES_MIN], zeros[200] = {0};
    struct buffer_sink packed;
    struct gzip gzip;
    buffer_sink_open(&packed, 100);
    gzip_open(&gzip, &packed.sink, buffer, sizeof(buffer));
    assert_false(gzip.sink.write(&gzip.sink, zeros, sizeof(zeros)));
    size_t calls = packed.calls;
    assert_false(gzip_close(&gzip));
    assert_int_equal(packed.calls, calls); /* a broken sink is left alone */
    buffer_sink_free(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zlib_reads_it),
        cmocka_unit_test(failure_below_is_told),
    };
    return cmocka_run_group_tests_name("format/gzip", tests, NULL, NULL);
}
