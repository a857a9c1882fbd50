#include "profile_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static unsigned char *read_whole(const char *path, size_t *size_bytes)
{
    struct stat found;
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return NULL;
    unsigned char *bytes = fstat(fd, &found) == 0 ? malloc((size_t)found.st_size + 1) : NULL;
    *size_bytes = 0;
    for (ssize_t got = 1; bytes && got > 0; *size_bytes += (size_t)got) {
        got = read(fd, bytes + *size_bytes, (size_t)found.st_size - *size_bytes);
        if (got < 0)
            got = 0;
    }
    close(fd);
    return bytes;
}

unsigned char *profile_file_read(const char *path, size_t *size_bytes)
{
    size_t packed_bytes;
    unsigned char *packed = read_whole(path, &packed_bytes);
    if (!packed)
        return NULL;
    size_t room_bytes = packed_bytes * 2 + 64;
    unsigned char *bytes = malloc(room_bytes);
    z_stream stream = {.next_in = packed, .avail_in = (unsigned)packed_bytes};
    stream.next_out = bytes;
    stream.avail_out = (unsigned)room_bytes;
    bool whole = bytes && inflateInit2(&stream, 15 + 16) == Z_OK &&
                 inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0;
    *size_bytes = stream.total_out;
    inflateEnd(&stream);
    free(packed);
    if (whole)
        return bytes;
    free(bytes);
    return NULL;
}

bool profile_file_says(const char *path, const char *text)
{
    size_t size_bytes;
    unsigned char *bytes = profile_file_read(path, &size_bytes);
    bool says = bytes && memmem(bytes, size_bytes, text, strlen(text)) != NULL;
    free(bytes);
    return says;
}
