#include "box_file.h"

#include "memory.h"
#include "message.h"
#include "output.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    GROWTH_TRIES = 10,    /* a living process may add a table between our stat and our look */
    NAME_TRIES = 1000000, /* numbers tried for a free name */
    PROFILE_PERMISSIONS = 0644
};

/* A mapped file that is cut short raises SIGBUS where it is read. */
static void on_cut_file(int number)
{
    static const char line[] = "heapdiff: the black box was cut short while it was read\n";
    (void)number;
    if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
        _exit(1);
    _exit(1);
}

/* `text` with whatever a file name should not have replaced. */
static char *file_name_text(const char *text, size_t room_bytes)
{
    char *name = memory_text(text, strnlen(text, room_bytes));
    for (char *at = name; *at != '\0'; at++)
        if (*at == '/' || (unsigned char)*at < ' ' || *at == 0x7f || (at == name && *at == '.'))
            *at = '_';
    if (*name == '\0') {
        free(name);
        name = memory_format("unnamed");
    }
    return name;
}

static const char *map_once(struct box_file *box, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return strerror(errno);
    if (!S_ISREG(status.st_mode))
        return "not a black box: not a regular file";
    if (status.st_size == 0)
        return "empty";
    box->device = status.st_dev;
    box->inode = status.st_ino;
    box->changed = status.st_mtime;
    box->size_bytes = (size_t)status.st_size;
    box->bytes = mmap(NULL, box->size_bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (box->bytes == MAP_FAILED)
        return strerror(errno);
    const char *reason = box_view_open(&box->view, box->bytes, box->size_bytes);
    if (reason)
        munmap(box->bytes, box->size_bytes);
    return reason;
}

const char *box_file_open(struct box_file *box, const char *path)
{
    *box = (struct box_file){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a fifo must not hold us */
    if (fd < 0)
        return strerror(errno);
    signal(SIGBUS, on_cut_file);
    const char *reason = map_once(box, fd);
    for (int i = 0; reason && strcmp(reason, "truncated black box") == 0 && i < GROWTH_TRIES; i++) {
        size_t before = box->size_bytes;
        reason = map_once(box, fd);
        if (box->size_bytes == before)
            break;
    }
    close(fd);
    if (!reason) {
        const struct box_header *header = box->view.header;
        box->path = memory_format("%s", path);
        box->program = file_name_text(header->name, sizeof(header->name));
    }
    return reason;
}

void box_file_close(struct box_file *box)
{
    if (box->bytes)
        munmap(box->bytes, box->size_bytes);
    free(box->path);
    free(box->program);
    *box = (struct box_file){0};
}

int box_file_process(const struct box_file *box)
{
    return process_find(box->view.header->pid, box->view.header->start_ticks);
}

bool box_file_delete(const struct box_file *box)
{
    struct stat status;
    if (lstat(box->path, &status) != 0)
        return false;
    if (status.st_dev != box->device || status.st_ino != box->inode) {
        errno = ESTALE;
        return false;
    }
    return unlink(box->path) == 0;
}

struct box_profile_facts box_file_last_facts(const struct box_file *box)
{
    uint64_t changed_ns = box->changed > 0 ? (uint64_t)box->changed * 1000000000u : 0;
    uint64_t measured_ns = box->view.header->update_time_ns;
    return (struct box_profile_facts){
        .time_ns = changed_ns > measured_ns ? changed_ns : measured_ns, .source = "black box"};
}

static char *free_name(const struct box_file *box)
{
    for (int i = 1; i < NAME_TRIES; i++) {
        char *name = memory_format("%s.%d.%d.prof", box->program, box->view.header->pid, i);
        if (access(name, F_OK) != 0)
            return name;
        free(name);
    }
    return memory_format("%s.%d.prof", box->program, box->view.header->pid);
}

static bool save_as(const struct box_file *box, const struct box_profile_facts *facts,
                    const char *path, enum output_mode mode)
{
    struct output output;
    if (!output_open(&output, path, PROFILE_PERMISSIONS, OUTPUT_PACKED))
        return message_error(path, "cannot be written: %s", strerror(errno));
    box_profile_write(&box->view, facts, &output.sink); /* a failure is kept by the output */
    if (!output_commit(&output, mode))
        return message_error(path, "cannot be written: %s", strerror(errno));
    return true;
}

char *box_file_save(const struct box_file *box, const struct box_profile_facts *facts,
                    const char *path)
{
    char *name = path ? memory_format("%s", path) : free_name(box);
    if (save_as(box, facts, name, path ? OUTPUT_REPLACE : OUTPUT_NEW))
        return name;
    free(name);
    return NULL;
}
