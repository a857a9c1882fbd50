#include "thread_list.h"

#include "process.h"
#include "cli/ground/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "NUMBER ARGUMENT ... SP PC", "-1 SP PC", or "running": the last number but one. */
uint64_t thread_stack_pointer(const char *text)
{
    uint64_t last = 0, before = 0;
    size_t numbers = 0;
    for (const char *at = strstr(text, " 0x"); at; at = strstr(at + 1, " 0x")) {
        before = last;
        last = strtoull(at + 1, NULL, 16);
        numbers++;
    }
    return numbers >= 2 ? before : 0;
}

static bool read_thread(struct thread_entry *thread, const struct process_dir *dir)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "task/%d/comm", thread->id);
    if (!process_dir_read(dir, path, thread->name, sizeof(thread->name)))
        return false;
    size_t length = strlen(thread->name);
    if (length > 0 && thread->name[length - 1] == '\n')
        thread->name[length - 1] = '\0';
    snprintf(path, sizeof(path), "task/%d/syscall", thread->id);
    if (process_dir_read(dir, path, text, sizeof(text)))
        thread->stack_pointer = thread_stack_pointer(text);
    return true;
}

static int compare_threads(const void *left, const void *right)
{
    const struct thread_entry *a = left, *b = right;
    if (a->stack_pointer != b->stack_pointer)
        return a->stack_pointer < b->stack_pointer ? -1 : 1;
    return a->id - b->id;
}

struct thread_list thread_list_read(const struct process_dir *dir)
{
    struct thread_list list = {0};
    int fd = openat(dir->fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *tasks = fd >= 0 ? fdopendir(fd) : NULL;
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        struct thread_entry thread = {.id = process_parse_pid(task->d_name)};
        if (thread.id == 0 || !read_thread(&thread, dir))
            continue;
        list.threads = memory_grown(list.threads, list.count, &list.capacity, sizeof(thread));
        list.threads[list.count++] = thread;
        list.unknown_count += thread.stack_pointer == 0;
    }
    if (tasks)
        closedir(tasks);
    else if (fd >= 0)
        close(fd);
    if (list.count > 0)
        qsort(list.threads, list.count, sizeof(*list.threads), compare_threads);
    return list;
}

void thread_list_free(struct thread_list *list)
{
    free(list->threads);
    *list = (struct thread_list){0};
}

const struct thread_entry *thread_list_find(const struct thread_list *list, uint64_t start,
                                            uint64_t end)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->threads[middle].stack_pointer < start)
            low = middle + 1;
        else
            high = middle;
    }
    bool inside = low < list->count && list->threads[low].stack_pointer < end;
    return inside ? &list->threads[low] : NULL;
}
