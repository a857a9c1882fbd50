#include "task.h"

#include "permit.h"
#include "sys.h"
#include "text.h"

#include <sys/stat.h>

enum {
    ENTRIES_BYTES = 8 << 10,
    LINKS = 2, /* of a directory without any below it */
    PATH_BYTES = 64
};

/* As getdents64(2) has it. */
struct entry {
    uint64_t inode, next;
    uint16_t bytes;
    uint8_t type;
    char name[];
};

bool task_open(struct task_list *list)
{
    struct stat now;
    *list = (struct task_list){0};
    if (!permit_has(PERMIT_LISTS) || !proc_open(&list->directory, "/proc/self/task"))
        return false;
    if (!sys_failed(sys_call2(SYS_fstat, list->directory.fd, (long)&now)) && now.st_nlink > LINKS)
        list->count = now.st_nlink - LINKS;
    return true;
}

void task_each(const struct task_list *list, task_visit visit, void *context)
{
    _Alignas(8) char entries[ENTRIES_BYTES];
    long got;
    while (proc_is_same(&list->directory) && (got = sys_call3(SYS_getdents64, list->directory.fd,
                                                              (long)entries, sizeof(entries))) > 0)
        for (long at = 0; at < got;) {
            const struct entry *entry = (const struct entry *)(const void *)(entries + at);
            const char *name = entry->name;
            uint64_t tid;
            at += entry->bytes;
            if (text_read_number(&name, &tid) && tid <= INT32_MAX)
                visit(list, (int32_t)tid, context);
        }
}

bool task_read(const struct task_list *list, int32_t tid, const char *name, char *buffer,
               size_t room_bytes)
{
    char path[PATH_BYTES];
    struct text text = text_on(path, sizeof(path));
    struct proc_file file;
    text_put_number(&text, (uint64_t)tid);
    text_put(&text, "/");
    text_put(&text, name);
    if (text.cut || !proc_open_below(&file, &list->directory, path))
        return false;
    long got = proc_read(&file, buffer, room_bytes - 1);
    proc_close(&file);
    buffer[got > 0 ? got : 0] = '\0';
    return got > 0;
}

void task_close(struct task_list *list)
{
    proc_close(&list->directory);
}
