#include "output.h"

#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PACK_BYTES_MAX = 1 << 30, /* zlib counts one write in an unsigned int */
    PACK_BUFFER_BYTES = 1 << 17
};

static void note_error(struct output *output)
{
    int zlib_error = Z_OK;
    gzerror(output->packer, &zlib_error);
    output->error = zlib_error == Z_ERRNO && errno != 0 ? errno : EIO;
}

static bool output_write(struct sink *self, const void *bytes, size_t size_bytes)
{
    struct output *output = (struct output *)self;
    const unsigned char *at = bytes;
    while (size_bytes > 0 && output->error == 0) {
        unsigned part = size_bytes < PACK_BYTES_MAX ? (unsigned)size_bytes : PACK_BYTES_MAX;
        errno = 0;
        if (gzwrite(output->packer, at, part) != (int)part)
            note_error(output);
        at += part;
        size_bytes -= part;
    }
    return output->error == 0;
}

static void forget(struct output *output)
{
    free(output->path);
    free(output->temporary_path);
    *output = (struct output){0};
}

static void drop_temporary(const struct output *output)
{
    if (output->temporary_path)
        unlink(output->temporary_path);
}

/* Pipes, terminals, /dev/null: written as they are; nothing may take their place. */
static bool is_special(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

static int open_file(struct output *output, const char *path, mode_t permissions)
{
    output->path = memory_format("%s", path);
    if (strcmp(path, "-") == 0)
        return dup(STDOUT_FILENO);
    if (is_special(path))
        return open(path, O_WRONLY | O_CLOEXEC);
    output->temporary_path = memory_format("%s.%d.tmp", path, (int)getpid());
    unlink(output->temporary_path); /* of an earlier life of this pid */
    return open(output->temporary_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                permissions);
}

bool output_open(struct output *output, const char *path, mode_t permissions,
                 enum output_packing packing)
{
    *output = (struct output){.sink = {output_write}};
    int fd = open_file(output, path, permissions);
    if (fd >= 0 && (output->packer = gzdopen(fd, packing == OUTPUT_PACKED ? "wb6" : "wbT"))) {
        gzbuffer(output->packer, PACK_BUFFER_BYTES);
        return true;
    }
    int error = fd >= 0 ? ENOMEM : errno;
    if (fd >= 0) {
        close(fd);
        drop_temporary(output);
    }
    forget(output);
    errno = error;
    return false;
}

static bool give_name(const struct output *output, enum output_mode mode)
{
    const char *from = output->temporary_path;
    if (!from)
        return true;
    if (mode == OUTPUT_REPLACE)
        return rename(from, output->path) == 0;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, output->path, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    /* A file system without it: a link never replaces either. */
    return link(from, output->path) == 0 && unlink(from) == 0;
}

bool output_commit(struct output *output, enum output_mode mode)
{
    errno = 0;
    int error = output->error;
    if (gzclose(output->packer) != Z_OK && error == 0)
        error = errno != 0 ? errno : EIO;
    if (error == 0 && !give_name(output, mode))
        error = errno;
    if (error != 0)
        drop_temporary(output);
    forget(output);
    errno = error;
    return error == 0;
}

void output_abandon(struct output *output)
{
    if (output->packer)
        gzclose(output->packer);
    drop_temporary(output);
    forget(output);
}
