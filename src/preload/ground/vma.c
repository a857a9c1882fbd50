#include "vma.h"

#include "proc.h"
#include "sys.h"
#include "text.h"

#include <errno.h>
#include <string.h>

enum {
    VMA_FIRST = 256,                 /* a small dynamic program has 30 to 60 */
    VMA_TEXT_FIRST_BYTES = 48 << 10, /* with VMA_FIRST: lines of 190 bytes */
    VMA_PAGE_BYTES = 4096 /* the smallest; what is asked for is rounded up by the kernel */
};

static size_t list_bytes(size_t room, size_t text_room_bytes)
{
    return room * sizeof(struct vma) + text_room_bytes;
}

/* Vmas first, then text; every page written to. */
static bool list_map(struct vma_list *list, size_t room, size_t text_room_bytes)
{
    size_t bytes = list_bytes(room, text_room_bytes);
    char *memory = sys_pages(bytes);
    if (!memory)
        return false;
    for (size_t at = 0; at < bytes; at += VMA_PAGE_BYTES)
        *(volatile char *)(memory + at) = 1;
    *list = (struct vma_list){.vmas = (struct vma *)memory,
                              .room = room,
                              .text = memory + room * sizeof(struct vma),
                              .text_room_bytes = text_room_bytes};
    return true;
}

void vma_list_free(struct vma_list *list)
{
    if (list->vmas)
        sys_pages_free(list->vmas, list_bytes(list->room, list->text_room_bytes));
    *list = (struct vma_list){0};
}

static enum vma_result read_text(struct vma_list *list)
{
    struct proc_file file;
    long got;
    list->text_bytes = 0;
    if (!proc_open(&file, "/proc/self/maps"))
        return VMA_UNREADABLE;
    do {
        size_t used = list->text_bytes + 1;
        size_t left = list->text_room_bytes > used ? list->text_room_bytes - used : 0;
        got = left > 0 ? proc_read(&file, list->text + list->text_bytes, left) : -ENOSPC;
        list->text_bytes += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    proc_close(&file);
    if (got == -ENOSPC)
        return VMA_FULL;
    list->text[list->text_bytes] = '\0';
    return got < 0 ? VMA_UNREADABLE : VMA_DONE;
}

static uint32_t read_flags(const char *letters)
{
    return (letters[0] == 'r' ? VMA_READ : 0) | (letters[1] == 'w' ? VMA_WRITE : 0) |
           (letters[2] == 'x' ? VMA_EXECUTE : 0) | (letters[3] == 's' ? VMA_SHARED : 0);
}

/* False when *at is not `expected`; moves past it. */
static bool skip(const char **at, char expected)
{
    return *(*at)++ == expected;
}

/* "START-END rwxp OFFSET MAJOR:MINOR INODE      NAME", NUL at its end. */
static bool read_line(const char *at, struct vma *vma)
{
    vma->start = proc_read_hex(&at);
    if (!skip(&at, '-'))
        return false;
    vma->end = proc_read_hex(&at);
    if (!skip(&at, ' ') || strnlen(at, 5) < 5)
        return false;
    vma->flags = read_flags(at);
    at += 4;
    if (!skip(&at, ' '))
        return false;
    vma->offset = proc_read_hex(&at);
    if (!skip(&at, ' '))
        return false;
    uint32_t major = (uint32_t)proc_read_hex(&at);
    if (!skip(&at, ':'))
        return false;
    vma->device = vma_device(major, (uint32_t)proc_read_hex(&at));
    if (!skip(&at, ' ') || !text_read_number(&at, &vma->inode))
        return false;
    while (*at == ' ')
        at++;
    vma->name = at;
    return vma->start < vma->end;
}

static enum vma_result read_lines(struct vma_list *list)
{
    char *end = list->text + list->text_bytes;
    list->count = 0;
    for (char *line = list->text, *next; line < end; line = next) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        next = stop ? stop + 1 : end;
        if (stop)
            *stop = '\0';
        if (list->count == list->room)
            return VMA_FULL;
        struct vma *vma = &list->vmas[list->count];
        if (!read_line(line, vma))
            return VMA_UNREADABLE;
        list->count += strcmp(vma->name, "[vsyscall]") != 0;
    }
    return VMA_DONE;
}

enum vma_result vma_list_read(struct vma_list *list)
{
    enum vma_result result = read_text(list);
    if (result == VMA_DONE)
        result = read_lines(list);
    if (result != VMA_DONE) {
        list->count = 0;
        return result;
    }
    /* Another process's list, or no list at all, where something else is mounted on /proc. */
    const struct vma *stack = vma_list_find(list, (uint64_t)&result);
    if (stack && stack->start <= (uint64_t)&result)
        return VMA_DONE;
    list->count = 0;
    return VMA_UNREADABLE;
}

/* What to try after a list with too little room, or after one that is nearly full. */
static void widen(const struct vma_list *list, size_t *room, size_t *text_room_bytes)
{
    if (list->count > 0) { /* all has been read */
        *room = list->count + list->count / 2;
        *text_room_bytes = list->text_bytes + list->text_bytes / 2;
    } else if (list->text_bytes + 1 == list->text_room_bytes) {
        *text_room_bytes *= 2;
    } else {
        *room *= 2;
    }
}

static bool list_has_room(const struct vma_list *list)
{
    return list->count + list->count / 4 < list->room &&
           list->text_bytes + list->text_bytes / 4 < list->text_room_bytes;
}

bool vma_list_make_room(struct vma_list *list)
{
    size_t room = VMA_FIRST, text_room_bytes = VMA_TEXT_FIRST_BYTES;
    struct vma_list larger;
    if (list->room > 0 && vma_list_read(list) == VMA_DONE && list_has_room(list))
        return true;
    while (list_map(&larger, room, text_room_bytes)) {
        enum vma_result result = vma_list_read(&larger);
        if (result == VMA_DONE && list_has_room(&larger)) {
            vma_list_free(list);
            *list = larger;
            return true;
        }
        widen(&larger, &room, &text_room_bytes);
        vma_list_free(&larger);
        if (result == VMA_UNREADABLE)
            return false;
    }
    return false;
}

const struct vma *vma_list_find(const struct vma_list *list, uint64_t address)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->vmas[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < list->count ? &list->vmas[low] : NULL;
}
