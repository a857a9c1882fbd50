#include "box_file.h"

#include "cli/ground/character.h"
#include "cli/ground/memory.h"
#include "cli/ground/message.h"
#include "cli/ground/moment.h"

#include "format/box_cut.h"

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
    CUT_TRIES = 20,        /* a thread has lost its processor in the middle of counting ... */
    CUT_REST_NS = 2000000, /* ... and has it again by then */
    GROWTH_TRIES = 10,     /* a living process may add a table between our stat and our look */
    NAME_TRIES = 1000000   /* numbers tried for a free name */
};

/* What is said when a mapped file is cut short: SIGBUS, where it is read. */
static char cut_line[1024];

static void on_cut_file(int number)
{
    (void)number;
    /* unlink() alone, which the check cannot see from here. NOLINTNEXTLINE(bugprone-signal-handler) */
    output_remove_temporary();
    ssize_t written = write(STDERR_FILENO, cut_line, strlen(cut_line));
    (void)written;
    _exit(1);
}

static void expect_cut_file(const char *path)
{
    char *line = memory_format("heapdiff: %.900s: cut short while it was read", path);
    snprintf(cut_line, sizeof(cut_line), "%s\n", character_make_plain(line));
    free(line);
    signal(SIGBUS, on_cut_file);
}

/* `text` with whatever a file name should not have replaced. */
static char *file_name_text(const char *text, size_t room_bytes)
{
    char *name = memory_text(text, strnlen(text, room_bytes));
    character_make_plain(name);
    for (char *at = name; *at != '\0'; at++)
        if (*at == '/' || *at == '?' || (at == name && *at == '.'))
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
    box->user = status.st_uid;
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
    expect_cut_file(path);
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

/* It was alive when it last wrote, as far as the file system and the box know. */
static uint64_t last_write_ns(const struct box_file *box)
{
    uint64_t changed_ns = box->changed > 0 ? (uint64_t)box->changed * 1000000000u : 0;
    uint64_t measured_ns = box->view.header->update_time_ns;
    return changed_ns > measured_ns ? changed_ns : measured_ns;
}

struct box_profile_facts box_file_facts(const struct box_file *box, const struct process *running)
{
    struct box_profile_facts facts = {.source = "black box"};
    facts.time_ns = running ? moment_now(CLOCK_REALTIME) : last_write_ns(box);
    if (running) {
        facts.rss_bytes = running->rss_bytes;
        facts.rss_peak_bytes = running->rss_peak_bytes;
        facts.threads = running->threads;
    }
    return facts;
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

bool box_file_write(const struct box_file *box, const struct box_profile_facts *facts,
                    struct output *output, enum output_mode mode)
{
    struct box_view view = box->view;
    expect_cut_file(box->path);
    void *room = memory_zeroed(1, box_cut_read_bytes(&view));
    for (int i = 0; !box_cut_read(&view, room) && i < CUT_TRIES && box_file_process(box); i++) {
        nanosleep(&(struct timespec){.tv_nsec = CUT_REST_NS}, NULL);
        view = box->view;
    }
    output_pack(output);
    box_profile_write(&view, facts, &output->sink); /* a failure is kept by the output */
    free(room);
    return output_commit(output, mode);
}

char *box_file_save(const struct box_file *box, const struct box_profile_facts *facts,
                    const char *path)
{
    char *name = path ? memory_format("%s", path) : free_name(box);
    struct output output;
    if (output_open(&output, name) &&
        box_file_write(box, facts, &output, path ? OUTPUT_REPLACE : OUTPUT_NEW))
        return name;
    message_error(name, "cannot be written: %s", strerror(errno));
    free(name);
    return NULL;
}
