#include "input.h"

#include "cli/ground/memory.h"
#include "format/box.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
    INPUT_ROOM_FIRST_BYTES = 1 << 16,
    BOMB_BYTES_MIN = 64 << 20, /* below, what it unpacks to does no harm */
    BOMB_RATIO_MIN = 200,
    GZIP_WINDOW_BITS = 15 + 16 /* zlib's way to say: the largest window, gzip framing only */
};

static const char REASON_TOO_LARGE[] = "larger than 2 GiB: not a heap profile";

void input_free(struct input *input)
{
    free(input->bytes);
    *input = (struct input){0};
}

/* Doubles the room, up to one byte more than is allowed: that byte tells "too large". */
static bool input_widen(struct input *input, size_t *room_bytes)
{
    if (*room_bytes > INPUT_BYTES_MAX)
        return false;
    *room_bytes = *room_bytes ? *room_bytes * 2 : INPUT_ROOM_FIRST_BYTES;
    if (*room_bytes > INPUT_BYTES_MAX)
        *room_bytes = INPUT_BYTES_MAX + 1;
    input->bytes = memory_resized(input->bytes, *room_bytes, 1);
    return true;
}

static const char *read_all(struct input *input, int fd)
{
    size_t room_bytes = 0;
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        (uint64_t)status.st_size > INPUT_BYTES_MAX)
        return REASON_TOO_LARGE; /* without reading it first */
    for (;;) {
        if (input->size_bytes == room_bytes && !input_widen(input, &room_bytes))
            return REASON_TOO_LARGE;
        ssize_t got = read(fd, input->bytes + input->size_bytes, room_bytes - input->size_bytes);
        if (got == 0)
            return NULL;
        if (got > 0)
            input->size_bytes += (size_t)got;
        else if (errno != EINTR)
            return strerror(errno);
    }
}

const char *input_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

const char *input_read(struct input *input, const char *path)
{
    *input = (struct input){0};
    if (strcmp(path, "-") == 0)
        return read_all(input, STDIN_FILENO);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return strerror(errno);
    const char *reason = read_all(input, fd);
    close(fd);
    return reason;
}

bool input_is_gzip(const void *bytes, size_t size_bytes)
{
    static const unsigned char magic[] = {0x1f, 0x8b};
    size_t compared_bytes = size_bytes < sizeof magic ? size_bytes : sizeof magic;
    return size_bytes > 0 && memcmp(bytes, magic, compared_bytes) == 0;
}

/* Gives zlib up to UINT_MAX of what is left on both sides and runs it once. */
static int inflate_some(z_stream *stream, struct input *unpacked, size_t room_bytes, size_t *left)
{
    size_t room_left = room_bytes - unpacked->size_bytes;
    uInt give = *left > UINT_MAX ? UINT_MAX : (uInt)*left;
    uInt take = room_left > UINT_MAX ? UINT_MAX : (uInt)room_left;
    stream->avail_in = give;
    stream->next_out = unpacked->bytes + unpacked->size_bytes;
    stream->avail_out = take;
    int status = inflate(stream, Z_NO_FLUSH);
    *left -= give - stream->avail_in;
    unpacked->size_bytes += take - stream->avail_out;
    return status;
}

/* True for a gzip bomb: real profiles unpack to 3 to 20 times their size, zeros to 1000 times. */
static bool is_bomb(const struct input *unpacked, size_t packed_bytes)
{
    return unpacked->size_bytes > BOMB_BYTES_MIN &&
           unpacked->size_bytes / BOMB_RATIO_MIN > packed_bytes;
}

static const char *inflate_all(z_stream *stream, struct input *unpacked, size_t packed_bytes)
{
    size_t room_bytes = 0, left = packed_bytes;
    for (;;) {
        if (is_bomb(unpacked, packed_bytes))
            return "unpacks to over 200 times its size: not a heap profile";
        if (unpacked->size_bytes == room_bytes && !input_widen(unpacked, &room_bytes))
            return "unpacks to more than 2 GiB: not a heap profile";
        int status = inflate_some(stream, unpacked, room_bytes, &left);
        if (status == Z_STREAM_END && left == 0)
            return NULL;
        if (status == Z_STREAM_END && !input_is_gzip(stream->next_in, left))
            return "damaged gzip: other bytes follow its end";
        if (status == Z_STREAM_END)
            inflateReset(stream); /* a further member */
        else if (status == Z_MEM_ERROR)
            return "out of memory";
        else if (status != Z_OK && status != Z_BUF_ERROR)
            return "damaged gzip";
        else if (left == 0 && stream->avail_out > 0)
            return "truncated gzip";
    }
}

const char *input_gunzip(struct input *unpacked, const void *bytes, size_t size_bytes)
{
    *unpacked = (struct input){0};
    z_stream stream = {.next_in = (z_const Bytef *)bytes};
    if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK)
        return "out of memory";
    const char *reason = inflate_all(&stream, unpacked, size_bytes);
    inflateEnd(&stream);
    if (reason)
        input_free(unpacked);
    return reason;
}

const char *input_wrong_kind(const void *bytes, size_t size_bytes)
{
    static const struct {
        const char *magic, *reason;
    } kinds[] = {
        {BOX_MAGIC, "a black box, not a profile: run \"heapdiff recover\" on it"},
        {"\177ELF", "an ELF file, not a profile"},
        {"\x28\xb5\x2f\xfd", "zstd-compressed: unpack it first"},
        {"\xfd\x37zXZ", "xz-compressed: unpack it first"},
        {"BZh", "bzip2-compressed: unpack it first"},
        {"PK\003\004", "a zip archive, not a profile"},
        {"heap profile:", "a heap profile in text form, which is not read: ask for the pprof form"},
        {"heap_v2/", "a jemalloc heap profile in text form, which is not read"},
        {"--- heap", "a heap profile in text form, which is not read: ask for the pprof form"},
        {"%!PS", "PostScript, not a profile"},
        {"%PDF", "PDF, not a profile"},
        {"<svg", "a picture, not a profile"},
        {"{", "JSON, not a profile"},
        {"#!", "a script, not a profile"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length = strlen(kinds[i].magic);
        if (size_bytes >= length && memcmp(bytes, kinds[i].magic, length) == 0)
            return kinds[i].reason;
    }
    return NULL;
}
