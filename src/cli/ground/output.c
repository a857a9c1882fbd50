#include "output.h"

#include "memory.h"
#include "message.h"
#include "zlib_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NEW_PERMISSIONS = 0666 }; /* without what umask takes, as open() gives */

/* What a signal handler needs to clean up: the temporary file, "" when there is none. */
static char temporary[PATH_MAX];

static bool below_write(struct sink *below, const void *bytes, size_t size_bytes)
{
    struct output *output = (void *)((char *)below - offsetof(struct output, below));
    if (output->error == 0 && fwrite(bytes, 1, size_bytes, output->file) != size_bytes)
        output->error = errno;
    return output->error == 0;
}

static bool output_write(struct sink *sink, const void *bytes, size_t size_bytes)
{
    struct output *output = (struct output *)sink;
    struct sink *next = output->packer ? &output->packer->sink : &output->below;
    return next->write(next, bytes, size_bytes);
}

void output_remove_temporary(void)
{
    if (temporary[0] != '\0')
        unlink(temporary);
}

/* Its action is the default again when it runs. */
static void on_end(int number)
{
    output_remove_temporary();
    raise(number);
}

/* Signals that the command ignores, or takes by handlers of its own, stay as they are. */
static void remove_at_signals(void)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXFSZ, SIGXCPU};
    struct sigaction action = {.sa_handler = on_end, .sa_flags = (int)SA_RESETHAND};
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++) {
        struct sigaction before;
        if (sigaction(ending[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(ending[i], &action, NULL);
    }
}

static void drop_temporary(const struct output *output)
{
    if (output->temporary_path)
        unlink(output->temporary_path);
    temporary[0] = '\0';
}

static void forget(struct output *output)
{
    free(output->packer);
    free(output->path);
    free(output->temporary_path);
    *output = (struct output){0};
}

static mode_t permissions_of_new(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return NEW_PERMISSIONS & ~mask;
}

/* A file beside the one that output->path names; -1 with errno set. */
static int open_temporary(struct output *output, mode_t permissions)
{
    const char *slash = strrchr(output->path, '/');
    int folder = slash ? (int)(slash + 1 - output->path) : 0;
    output->temporary_path = memory_format("%.*s.heapdiff-XXXXXX", folder, output->path);
    int fd = mkostemp(output->temporary_path, O_CLOEXEC);
    if (fd < 0) {
        free(output->temporary_path);
        output->temporary_path = NULL;
        return -1;
    }
    snprintf(temporary, sizeof temporary, "%s", output->temporary_path);
    remove_at_signals();
    fchmod(fd, permissions); /* where there are none, it is as good */
    return fd;
}

/* Opening what is there, without a change to it, finds out whether it may be written. What has no name
   cannot be made either. */
static int open_path(struct output *output, const char *path)
{
    struct stat status;
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && (errno != ENOENT || *path == '\0'))
        return -1;
    if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode))
        return fd;
    mode_t permissions = fd >= 0 ? status.st_mode & 0777 : permissions_of_new();
    char *real = fd >= 0 ? realpath(path, NULL) : NULL;
    if (fd >= 0)
        close(fd);
    output->path = real ? real : memory_format("%s", path);
    return open_temporary(output, permissions);
}

bool output_open(struct output *output, const char *path)
{
    *output = (struct output){.sink = {output_write}, .below = {below_write}};
    if (!path || strcmp(path, "-") == 0) {
        output->file = stdout;
        return true;
    }
    int fd = open_path(output, path);
    output->file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (output->file)
        return true;
    int error = errno;
    if (fd >= 0)
        close(fd);
    drop_temporary(output);
    forget(output);
    errno = error;
    return false;
}

void output_pack(struct output *output)
{
    output->packer = memory_zeroed(1, sizeof *output->packer);
    zlib_sink_open(output->packer, &output->below);
}

/* Writes what is left. */
static void finish(struct output *output)
{
    if (output->packer && !zlib_sink_close(output->packer) && output->error == 0)
        output->error = EIO;
    if (fflush(output->file) != 0 && output->error == 0)
        output->error = errno;
    if (ferror(output->file) && output->error == 0)
        output->error = EIO; /* of an earlier write, whose errno is gone */
    if (output->file != stdout && fclose(output->file) != 0 && output->error == 0)
        output->error = errno;
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
    finish(output);
    int error = output->error;
    if (error == 0 && !give_name(output, mode))
        error = errno;
    if (error != 0)
        drop_temporary(output);
    temporary[0] = '\0';
    forget(output);
    errno = error;
    return error == 0;
}

void output_abandon(struct output *output)
{
    finish(output);
    drop_temporary(output);
    forget(output);
}

bool output_finish_stdout(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    return message_error("standard output", "%s", strerror(errno));
}
