#include "target.h"

#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool target_write(struct sink *sink, const void *bytes, size_t size_bytes)
{
    struct target *self = (struct target *)sink;
    return fwrite(bytes, 1, size_bytes, self->file) == size_bytes;
}

/* What open() would give a new file; an old one's own bits when it is replaced. */
static mode_t permissions_of(const struct stat *old)
{
    if (old != NULL)
        return old->st_mode & 0777;
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

static bool temporary_open(struct target *self, const char *path, const struct stat *old)
{
    char *real = old != NULL ? realpath(path, NULL) : NULL;
    self->path = real != NULL ? real : memory_text(path, strlen(path));
    self->temporary = memory_format("%s.XXXXXX", self->path);
    int file = mkstemp(self->temporary);
    self->file = file >= 0 ? fdopen(file, "w") : NULL;
    if (self->file != NULL && fchmod(file, permissions_of(old)) == 0)
        return true;
    int error = errno;
    if (file >= 0)
        unlink(self->temporary);
    if (self->file != NULL)
        fclose(self->file);
    free(self->temporary);
    free(self->path);
    errno = error;
    return false;
}

bool target_open(struct target *self, const char *path)
{
    struct stat old;
    *self = (struct target){.sink = {target_write}};
    if (path == NULL || strcmp(path, "-") == 0) {
        self->file = stdout;
        return true;
    }
    bool exists = stat(path, &old) == 0;
    if (!exists || S_ISREG(old.st_mode))
        return temporary_open(self, path, exists ? &old : NULL);
    self->file = fopen(path, "w");
    return self->file != NULL;
}

bool target_close(struct target *self, bool good)
{
    int error = errno;
    bool written = !ferror(self->file) && fflush(self->file) == 0;
    if (!written && good)
        error = errno;
    if (self->file != stdout && fclose(self->file) != 0 && written) {
        written = false;
        error = errno;
    }
    if (self->temporary != NULL && written && good && rename(self->temporary, self->path) != 0) {
        written = false;
        error = errno;
    }
    if (self->temporary != NULL && !(written && good))
        unlink(self->temporary);
    free(self->temporary);
    free(self->path);
    errno = error;
    return written && good;
}
